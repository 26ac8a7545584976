//! House rules that no other tool checks: what a reader may rely on everywhere.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::root;

/// Lines a hand-written Rust file may have before a second noun must be in it.
const FILE_LINES_MAX: usize = 900;
/// Columns of a line of prose or code that no formatter breaks.
const COLUMNS_MAX: usize = 200;

/// All breaches of the house rules, a line each.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for path in files(&root())? {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        check_file(&shown, &text, &mut problems);
    }
    check_invariants(&mut problems)?;
    check_arrows(&mut problems)?;
    Ok(problems)
}

fn check_file(shown: &str, text: &str, problems: &mut Vec<String>) {
    let is_rust = shown.ends_with(".rs");
    let lines = text.lines().count();
    if is_rust && lines > FILE_LINES_MAX {
        problems.push(format!("{shown}: {lines} lines; split it at its second noun"));
    }
    if is_rust && !shown.contains("tests") && !text.trim_start().starts_with("//!") {
        problems.push(format!("{shown}: begins without a module doc"));
    }
    // Put together here, so that this page does not breach its own rule.
    let unfinished = [["FIX", "ME"], ["TO", "DO"], ["XX", "X"]].map(|halves| halves.concat());
    for (number, line) in text.lines().enumerate() {
        let at = format!("{shown}:{}", number + 1);
        if unfinished.iter().any(|mark| line.contains(mark.as_str())) {
            problems.push(format!("{at}: unfinished work is marked; finish it or file it"));
        }
        if is_rust && line.chars().count() > COLUMNS_MAX {
            problems.push(format!("{at}: longer than {COLUMNS_MAX} columns"));
        }
    }
    if shown.ends_with(".md") {
        let mut fenced = false;
        let titles = text
            .lines()
            .filter(|line| {
                fenced ^= line.starts_with("```");
                !fenced && line.starts_with("# ")
            })
            .count();
        if titles != 1 {
            problems.push(format!("{shown}: has {titles} first-level headings, not one"));
        }
    }
}

/// Each promise is named where it is said, in the domain, and where it is explained.
fn check_invariants(problems: &mut Vec<String>) -> Result<()> {
    let said = read("domain/src/invariant.rs")?;
    let explained = read("docs/ARCHITECTURE.md")?;
    for promise in (1..=13).map(|n| format!("P{n}")) {
        let named = |text: &str| {
            text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == promise)
        };
        if !named(&said) {
            problems.push(format!("domain/src/invariant.rs: does not speak of {promise}"));
        }
        if !named(&explained) {
            problems.push(format!("docs/ARCHITECTURE.md: does not speak of {promise}"));
        }
    }
    Ok(())
}

/// Walls inside one crate, which Cargo cannot enforce.
fn check_arrows(problems: &mut Vec<String>) -> Result<()> {
    let walls: &[(&str, &[&str], &str)] = &[
        ("src/edge", &["switchboard_store::embedded", "rusqlite"], "a door calls handles only"),
        ("src", &["ractor::"], "only actors and cluster name ractor"),
        ("domain/src", &["std::time", "tokio", "SystemTime"], "the domain reads no clock"),
    ];
    for (folder, words, why) in walls {
        for path in files(&root().join(folder))? {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for word in words.iter().filter(|word| text.contains(**word)) {
                let shown = path.strip_prefix(root()).unwrap_or(&path).display();
                problems.push(format!("{shown}: names {word}; {why}"));
            }
        }
    }
    Ok(())
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| format!("reading {path}"))
}

/// Files below a folder that people write: no build output, no dependencies.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    const SKIPPED: &[&str] = &["target", "node_modules", ".git", "dist", "data", "ui-dist"];
    const KINDS: &[&str] = &["rs", "ts", "tsx", "css", "md", "toml", "c", "mjs"];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("reading the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if KINDS.iter().any(|kind| name.ends_with(&format!(".{kind}"))) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
