// The shim's own proof: appends numbered records to a file and says each number on standard output,
// after fdatasync (`sync`) or without it (`nosync`), until it is killed. Every 64 records it writes
// the count to a second file by create, (sync,) rename, (sync of the directory).

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
    perror(what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int sync = strcmp(argv[2], "sync") == 0;
    if (chdir(argv[1]) != 0) return fail("chdir");
    int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    if (log < 0 || dir < 0) return fail("open");
    if (sync && (fsync(log) != 0 || fsync(dir) != 0)) return fail("fsync");
    for (unsigned n = (unsigned)(lseek(log, 0, SEEK_END) / 16) + 1;; n++) {
        char record[32];
        snprintf(record, sizeof record, "%015u\n", n);
        if (write(log, record, 16) != 16) return fail("write");
        if (sync && fdatasync(log) != 0) return fail("fdatasync");
        if (n % 64 == 0) {
            int mark = open("mark.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
            if (mark < 0 || write(mark, record, 16) != 16) return fail("mark");
            if (sync && fsync(mark) != 0) return fail("fsync");
            close(mark);
            if (rename("mark.new", "mark") != 0) return fail("rename");
            if (sync && fsync(dir) != 0) return fail("fsync");
            if (write(1, "mark ", 5) != 5) return 0;
        }
        if (write(1, record, 16) != 16) return 0;
    }
}
