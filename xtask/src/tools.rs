//! Tools the checks need: found where they are, else installed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, command, must, root, say};

const DENY: (&str, &str) = ("cargo-deny", "0.20.2");
const TYPOS: (&str, &str) = ("typos-cli", "1.52.0");

/// cargo-deny, for licences, sources and doubles.
pub(crate) fn deny() -> Result<PathBuf> {
    installed(DENY, "cargo-deny")
}

/// typos, for spelling.
pub(crate) fn typos() -> Result<PathBuf> {
    installed(TYPOS, "typos")
}

/// Our own copies live below `target`, pinned, so that machines do not differ.
fn installed((package, version): (&str, &str), binary: &str) -> Result<PathBuf> {
    let home = root().join("target/tools").join(format!("{package}-{version}"));
    let path = home.join("bin").join(binary);
    if !runs(&path, "--version") {
        say(&format!("installing {package} {version}, once"));
        // Unoptimised: it runs for a second, but would build for minutes.
        must(cargo(&["install", "--debug", "--locked", "--quiet", package]).args([
            "--version",
            version,
            "--root",
            &home.to_string_lossy(),
        ]))?;
    }
    Ok(path)
}

/// Chromium, from the system's packages.
pub(crate) fn chromium() -> Result<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    if let Some(found) = names.iter().find(|name| runs(name, "--version")) {
        return Ok(which(found));
    }
    say("installing chromium from the system's packages, once");
    must(command("apt-get").args(["update", "-qq"]))?;
    must(command("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "chromium"]))?;
    if !runs("chromium", "--version") {
        bail!("chromium cannot be run; install it and make sure that it is on PATH");
    }
    Ok(which("chromium"))
}

/// The proxies that there are examples for.
pub(crate) fn proxies() -> Result<()> {
    from_packages("nginx", "-v", "nginx")?;
    from_packages("haproxy", "-v", "haproxy")
}

/// Java, for the CQL server of the tests.
pub(crate) fn java() -> Result<()> {
    from_packages("java", "-version", "openjdk-17-jre-headless")
}

/// Maven, which fetches that server.
pub(crate) fn maven() -> Result<()> {
    from_packages("mvn", "--version", "maven")
}

/// A program from the system's packages, installed if it cannot be run.
fn from_packages(program: &str, argument: &str, package: &str) -> Result<()> {
    if runs(program, argument) {
        return Ok(());
    }
    say(&format!("installing {package} from the system's packages, once"));
    must(command("apt-get").args(["update", "-qq"]))?;
    must(command("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", package]))?;
    if !runs(program, argument) {
        bail!("{program} cannot be run; install {package} and make sure that it is on PATH");
    }
    Ok(())
}

/// Python with the packages of `tests/clients/requirements.txt`, in an environment of its own below
/// `target`.
pub(crate) fn python() -> Result<PathBuf> {
    from_packages("python3", "-cimport ensurepip", "python3-venv")?;
    let wanted = root().join("tests/clients/requirements.txt");
    let home = root().join("target/tools/python-clients");
    let (python, installed) = (home.join("bin/python"), home.join("requirements.txt"));
    let read = |path| std::fs::read(path).unwrap_or_default();
    if read(&wanted) != read(&installed) || !runs(&python, "-cimport socketio") {
        say("installing the Python packages of the clients, once");
        must(command("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        must(command(&python).args(pip).arg(&wanted))?;
        std::fs::copy(&wanted, &installed).context("noting which packages are installed")?;
    }
    Ok(python)
}

/// Node and npm, which we do not install.
pub(crate) fn node() -> Result<()> {
    for program in ["node", "npm"] {
        if !runs(program, "--version") {
            bail!("{program} cannot be run; the pages need Node 20.19 or newer on PATH");
        }
    }
    Ok(())
}

fn runs(program: impl AsRef<std::ffi::OsStr>, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| PathBuf::from(program))
}
