//! The instruments are proven on the model server: green when it is right, red for each sabotage.

use std::process::Command;

const MODEL: &str = env!("CARGO_BIN_EXE_switchboard-model");
const TOOL: &str = env!("CARGO_BIN_EXE_switchboard-loadtest");

/// Runs a campaign on the model; whether it passed, and what it said.
fn campaign(args: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
    let run = Command::new(TOOL)
        .args(args)
        .args(["--server", MODEL])
        .envs(environment.iter().copied())
        .output()
        .expect("cargo built the load tool for this test");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    (run.status.success(), said + &String::from_utf8_lossy(&run.stderr))
}

fn check_green(args: &[&str]) {
    let (passed, said) = campaign(args, &[]);
    assert!(passed, "{said}");
    let last = said.lines().rfind(|line| line.contains(" passed, ")).unwrap_or_default();
    let name = args.first().copied().unwrap_or_default();
    assert!(last.starts_with(name) && last.ends_with(" 0 failed"), "{last}");
}

/// The sabotaged model must fail the campaign, and pass it when the campaign expects just that.
fn check_red(args: &[&str], sabotage: &str) {
    let (passed, said) = campaign(args, &[("SWITCHBOARD_SABOTAGE", sabotage)]);
    assert!(!passed, "{sabotage} went unnoticed: {said}");
    let expecting: Vec<_> = args.iter().copied().chain(["--expect-red", sabotage]).collect();
    let (passed, said) = campaign(&expecting, &[]);
    assert!(passed, "{sabotage} was not named: {said}");
}

const KILL: &[&str] = &["kill", "--kills", "5", "--conversations", "5"];
const CUT: &[&str] = &["powercut", "--cuts", "5", "--conversations", "5"];

#[test]
fn kill_passes_a_server_that_keeps_its_promises() {
    check_green(KILL);
}

#[test]
fn kill_catches_acks_before_the_commit() {
    check_red(KILL, "ack_before_commit");
}

#[test]
fn kill_catches_retries_that_are_stored_twice() {
    check_red(&["kill", "--kills", "8", "--conversations", "8"], "no_dedupe");
}

#[test]
fn kill_catches_positions_from_memory() {
    check_red(KILL, "seq_from_memory");
}

#[test]
fn kill_catches_notes_that_leak() {
    check_red(KILL, "leak_notes");
}

#[test]
fn a_power_cut_passes_a_server_that_syncs() {
    check_green(CUT);
}

#[test]
fn a_power_cut_catches_what_kill_cannot() {
    // The control of the control: without a sync, kill -9 finds nothing.
    let (passed, said) = campaign(KILL, &[("SWITCHBOARD_SABOTAGE", "no_fsync")]);
    assert!(passed, "{said}");
    let expecting: Vec<_> = CUT.iter().copied().chain(["--expect-red", "no_fsync"]).collect();
    let (passed, said) = campaign(&expecting, &[]);
    assert!(passed, "{said}");
}

#[test]
fn syncs_are_counted_against_acks() {
    check_green(&["fsync", "--messages", "50"]);
    check_red(&["fsync", "--messages", "50"], "no_fsync");
}

#[test]
fn races_and_notes_are_judged() {
    check_green(&["accept-race", "--races", "40"]);
    check_green(&["notes", "--notes", "20"]);
    let (passed, said) =
        campaign(&["notes", "--notes", "20"], &[("SWITCHBOARD_SABOTAGE", "leak_notes")]);
    assert!(!passed, "{said}");
}
