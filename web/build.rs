//! Builds the web pages and writes the table that `src/lib.rs` embeds.
//!
//! Where the pages come from, first that applies:
//! 1. the folder named by `UI_DIST` (packagers who build the pages themselves),
//! 2. `ui-dist/` beside this file (source archives of a release carry it),
//! 3. `npm ci` and the build, in a copy under `OUT_DIR`: the source tree is never touched,
//! 4. one placeholder page that says what is missing; the server and its API work all the same.
//!
//! `UI_BUILD=require` turns the last into an error, `UI_BUILD=skip` goes straight to it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use sha2::{Digest, Sha256};

/// What the build in `OUT_DIR` reads. A change of anything else rebuilds nothing.
const SOURCES: [&str; 16] = [
    "build.mjs",
    "chat.html",
    "client",
    "console",
    "console.html",
    "demo",
    "demo.html",
    "loader",
    "locales",
    "mangle.ts",
    "package-lock.json",
    "package.json",
    "ui",
    "vite.config.ts",
    "widget",
    "widget.html",
];

const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
<title>Switchboard</title>\n<h1>The pages are not part of this build</h1>\n\
<p>The server and its API work. For the widget and the console install Node 20.19 or later and \
build again: <code>cargo build --release</code></p>\n</html>\n";

/// A result whose error is a sentence for the person who builds.
type Outcome<T> = Result<T, String>;

fn main() -> Outcome<()> {
    let here = PathBuf::from(required("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(required("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=UI_DIST");
    println!("cargo::rerun-if-env-changed=UI_BUILD");
    println!("cargo::rerun-if-changed=build.rs");

    let (dist, placeholder) = match pages(&here, &out)? {
        Some(dist) => (dist, false),
        None => (write_placeholder(&out)?, true),
    };
    let mut files = Vec::new();
    collect(&dist, &dist, &mut files)?;
    files.sort();
    let table = table(&files, placeholder)?;
    fs::write(out.join("table.rs"), table)
        .map_err(|error| format!("cannot write table.rs: {error}"))
}

/// The folder with the built pages; `None` when there is to be a placeholder.
fn pages(here: &Path, out: &Path) -> Outcome<Option<PathBuf>> {
    let mode = env::var_os("UI_BUILD");
    if mode.as_deref() == Some(OsStr::new("skip")) {
        return Ok(None);
    }
    if let Some(given) = env::var_os("UI_DIST") {
        let given = PathBuf::from(given);
        println!("cargo::rerun-if-changed={}", given.display());
        return Ok(Some(given));
    }
    let shipped = here.join("ui-dist");
    if shipped.is_dir() {
        // Said only where it exists: cargo takes a missing path for one that changes all the time.
        println!("cargo::rerun-if-changed=ui-dist");
        return Ok(Some(shipped));
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    match npm_build(here, &out.join("web")) {
        Ok(dist) => Ok(Some(dist)),
        Err(reason) if mode.as_deref() == Some(OsStr::new("require")) => Err(reason),
        Err(reason) => {
            println!("cargo::warning=the web pages are a placeholder: {reason}");
            println!("cargo::warning=install Node 20.19 or later and build again");
            // A path that never exists makes cargo try again at the next build.
            println!("cargo::rerun-if-changed={}", out.join("never").display());
            Ok(None)
        }
    }
}

/// Copies the sources, installs what they need unless the lock file is as before, and builds.
fn npm_build(here: &Path, work: &Path) -> Outcome<PathBuf> {
    fs::create_dir_all(work)
        .map_err(|error| format!("cannot create {}: {error}", work.display()))?;
    for source in SOURCES {
        let to = work.join(source);
        copy(&here.join(source), &to)
            .map_err(|error| format!("cannot copy {source} to {}: {error}", to.display()))?;
    }
    let lock = fs::read_to_string(work.join("package-lock.json"))
        .map_err(|error| format!("cannot read package-lock.json: {error}"))?;
    let installed = work.join("installed.json");
    if fs::read_to_string(&installed).ok().as_deref() != Some(lock.as_str()) {
        let npm = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];
        command(Command::new("npm").args(npm).current_dir(work))?;
        fs::write(&installed, &lock).map_err(|error| format!("cannot note the lock: {error}"))?;
    }
    command(Command::new("node").arg("build.mjs").current_dir(work))?;
    Ok(work.join("dist"))
}

fn command(command: &mut Command) -> Outcome<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(format!("{name} failed ({}): {last}", output.status))
}

/// Makes `to` the same as `from`: what vanished from a folder vanishes from its copy.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    if to.is_dir() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn write_placeholder(out: &Path) -> Outcome<PathBuf> {
    let folder = out.join("placeholder");
    let write = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        for page in ["chat.html", "console.html", "demo.html", "widget.html"] {
            fs::write(folder.join(page), PLACEHOLDER)?;
        }
        fs::write(folder.join("loader.js"), "// The widget is not part of this build.\n")
    };
    write().map_err(|error| format!("cannot write the placeholder: {error}"))?;
    Ok(folder)
}

/// A file of the built pages.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct File {
    /// Where a browser asks for it; the order of the table.
    url: String,
    /// Where it lies now.
    path: PathBuf,
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Outcome<()> {
    let unreadable = |error: io::Error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) else {
            return Err(format!("a name that no address can have: {}", path.display()));
        };
        if name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        let url = format!("/{}", name.strip_suffix(".html").unwrap_or(name));
        files.push(File { url, path });
    }
    Ok(())
}

fn table(files: &[File], placeholder: bool) -> Outcome<String> {
    let mut table =
        format!("const PLACEHOLDER: bool = {placeholder};\n\nstatic ASSETS: &[Asset] = &[\n");
    for file in files {
        let bytes = fs::read(&file.path)
            .map_err(|error| format!("cannot read {}: {error}", file.path.display()))?;
        let mut etag = String::new();
        for byte in Sha256::digest(&bytes).iter().take(16) {
            let _ = write!(etag, "{byte:02x}");
        }
        let url = &file.url;
        let raw = &file.path;
        let kind = content_type(raw)?;
        let br = compressed(raw, bytes.len(), "br");
        let gz = compressed(raw, bytes.len(), "gz");
        let immutable = url.starts_with("/assets/");
        let _ = write!(
            table,
            "    Asset {{\n        path: {url:?},\n        content_type: {kind:?},\n        \
             etag: \"W/\\\"{etag}\\\"\",\n        raw: include_bytes!({raw:?}),\n        \
             br: {br},\n        gz: {gz},\n        immutable: {immutable},\n    }},\n"
        );
    }
    table.push_str("];\n");
    Ok(table)
}

/// The expression for the compressed copy beside a file, if there is one and it is smaller.
fn compressed(path: &Path, raw_bytes: usize, suffix: &str) -> String {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    match fs::metadata(&name) {
        Ok(found) if found.len() < raw_bytes as u64 => format!("Some(include_bytes!({name:?}))"),
        Ok(_) | Err(_) => "None".to_owned(),
    }
}

fn content_type(path: &Path) -> Outcome<&'static str> {
    Ok(match path.extension().and_then(OsStr::to_str) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        _ => return Err(format!("no content type is known for {}", path.display())),
    })
}

fn required(name: &str) -> Outcome<String> {
    env::var(name).map_err(|error| format!("cargo did not set {name}: {error}"))
}
