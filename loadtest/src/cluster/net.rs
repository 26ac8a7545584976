//! A network of one campaign's own: a namespace for each machine, a wire from each to the hub in the
//! middle, cuts between any two of them, and packets that are held back.
//!
//! Everything is in namespaces that belong to this process: when it ends, however it ends, the system
//! takes them down with every process in them. Nothing of it shows outside.
//!
//! Addresses are loopback's, so that a server takes the harness for somebody on its own machine: only
//! to those it signs in without a password. Elsewhere they would never leave the machine; the switch
//! `route_localnet` lets them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::report::Report;

/// Says that the namespaces are there.
const INSIDE: &str = "NETWORK_INSIDE";
/// The hub, where clients are.
const HUB: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 254);
/// A next hop that nobody answers for: what is sent by it waits in the sender's system until
/// somebody does.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 253);
/// For so many seconds, and so many bytes; after that it is dropped.
const HELD_MAX: (u32, u32) = (120, 4 * 1024 * 1024);

/// Does something that makes a [`Network`], in namespaces of this program's own, until it is done or
/// the program is told to end; where that takes root and this is not root, says that it was skipped.
///
/// # Errors
/// When there are no namespaces to be had, or it fails.
pub(crate) async fn within(title: &str, what: impl Future<Output = Result<()>>) -> Result<()> {
    if is_inside() {
        let (mut interrupted, mut terminated) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        return tokio::select! {
            done = what => done,
            _ = interrupted.recv() => Err(anyhow::anyhow!("interrupted")),
            _ = terminated.recv() => Err(anyhow::anyhow!("told to end")),
        };
    }
    if is_root() {
        return enter();
    }
    let mut report = Report::new(title);
    report.skip("needs root");
    report.finish()
}

/// Whether this process may make namespaces.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this process is the first one of namespaces of its own.
fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Becomes this program with the same arguments once more, in namespaces for network, mounts and
/// processes. Whoever started it, and ends, ends it.
///
/// # Errors
/// When that cannot be done; otherwise it does not come back.
fn enter() -> Result<()> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork"]);
    command.args(["--kill-child=KILL", "--mount-proc"]);
    command.arg(std::env::current_exe().context("finding this program")?);
    let failed = command.args(std::env::args_os().skip(1)).env(INSIDE, "1").exec();
    Err(failed).context("running setpriv and unshare")
}

/// A machine of the network.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Machine {
    /// Where it is.
    pub(crate) address: Ipv4Addr,
}

impl Machine {
    /// Node number `n` of the cluster, from 1.
    pub(crate) const fn node(n: u8) -> Self {
        Self { address: Ipv4Addr::new(127, 77, 0, n) }
    }

    /// Node number `n` of the database, from 1.
    pub(crate) const fn database(n: u8) -> Self {
        Self { address: Ipv4Addr::new(127, 77, 1, n) }
    }

    /// The name of its namespace.
    fn name(self) -> String {
        let [_, _, kind, n] = self.address.octets();
        format!("m{kind}-{n}")
    }

    /// The hub's end of its wire.
    fn far_end(self) -> String {
        let [_, _, kind, n] = self.address.octets();
        format!("02:00:7f:4d:{kind:02x}:{n:02x}")
    }

    /// What runs a program on it. The process that is started becomes that program.
    pub(crate) fn launcher(self) -> Vec<String> {
        ["ip", "netns", "exec"].map(str::to_owned).into_iter().chain([self.name()]).collect()
    }
}

/// Packets from the first to the second are dropped without a word.
pub(crate) type Cut = (Machine, Machine);

/// The network, as long as this process lives.
#[derive(Debug)]
pub(crate) struct Network {
    cuts: BTreeSet<Cut>,
    /// Whose packets to whom wait.
    held: Option<(Machine, Vec<Machine>)>,
}

impl Network {
    /// Makes the hub and a wire to each of these machines.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn new(machines: &[Machine]) -> Result<Self> {
        // Names of namespaces are files, and these are to be seen by nobody else.
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
        std::fs::create_dir("/run/netns").context("a place for names")?;
        batch(None, &["link set lo up", "route del local 127.0.0.0/8 dev lo table local"])?;
        set("net/ipv4/ip_forward")?;
        set("net/ipv4/conf/all/route_localnet")?;
        for machine in machines {
            let (name, address, far_end) = (machine.name(), machine.address, machine.far_end());
            run("ip", &["netns", "add", &name])?;
            batch(
                None,
                &[
                    &format!(
                        "link add {name} address {far_end} type veth peer name eth0 netns {name}"
                    ),
                    &format!("addr add {HUB}/32 dev {name} scope global"),
                    &format!("link set {name} up"),
                    &format!("route add {address}/32 dev {name} src {HUB}"),
                ],
            )?;
            let there = "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet";
            run("ip", &["netns", "exec", &name, "sh", "-c", there])?;
            batch(
                Some(&name),
                &[
                    "link set lo up",
                    // What is left is 127.0.0.1 itself.
                    "route del local 127.0.0.0/8 dev lo table local",
                    &format!("addr add {address}/32 dev eth0 scope global"),
                    "link set eth0 up",
                    &format!("route add {HUB} dev eth0 src {address}"),
                    &format!("route add default via {HUB} dev eth0 src {address}"),
                ],
            )?;
        }
        Ok(Self { cuts: BTreeSet::new(), held: None })
    }

    /// Makes these cuts and no others, all at once. Connections stay open and hear nothing.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn cut(&mut self, cuts: &BTreeSet<Cut>) -> Result<()> {
        let rule = |what: &str, (from, to): &Cut| {
            format!("rule {what} from {} to {} blackhole", from.address, to.address)
        };
        let made = cuts.difference(&self.cuts).map(|cut| rule("add", cut));
        let healed = self.cuts.difference(cuts).map(|cut| rule("del", cut));
        let lines: Vec<String> = made.chain(healed).collect();
        batch(None, &lines.iter().map(String::as_str).collect::<Vec<_>>())?;
        self.cuts.clone_from(cuts);
        Ok(())
    }

    /// Holds back what one machine sends to these, until [`Network::release`]. Nothing is lost, and
    /// what they send arrives.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn hold(&mut self, from: Machine, to: Vec<Machine>) -> Result<()> {
        let (name, (seconds, bytes)) = (from.name(), HELD_MAX);
        let set = format!(
            "cd /proc/sys/net/ipv4/neigh/eth0 && echo {seconds} > mcast_solicit && \
             echo {bytes} > unres_qlen_bytes"
        );
        run("ip", &["netns", "exec", &name, "sh", "-c", &set])?;
        let detour = |to: &Machine| {
            let (from, to) = (from.address, to.address);
            format!("route add {to}/32 via {NOWHERE} dev eth0 onlink src {from}")
        };
        let lines: Vec<String> = to.iter().map(detour).collect();
        self.held = Some((from, to));
        batch(Some(&name), &lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Lets everything go that was held back, in the order in which it was sent.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn release(&mut self) -> Result<()> {
        let Some((from, to)) = self.held.take() else { return Ok(()) };
        let far_end = from.far_end();
        let answer = format!("neigh replace {NOWHERE} lladdr {far_end} dev eth0 nud permanent");
        let back = to.iter().map(|to| format!("route del {}/32", to.address));
        let silence = format!("neigh del {NOWHERE} dev eth0");
        let lines: Vec<String> =
            std::iter::once(answer).chain(back).chain(std::iter::once(silence)).collect();
        batch(Some(&from.name()), &lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Heals every cut, and lets go what is held back.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn heal(&mut self) -> Result<()> {
        self.release()?;
        self.cut(&BTreeSet::new())
    }
}

/// Both ways between any of one side and any of the other.
pub(crate) fn between(one: &[Machine], other: &[Machine]) -> BTreeSet<Cut> {
    let there = one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b)));
    let back = other.iter().flat_map(|a| one.iter().map(move |b| (*a, *b)));
    there.chain(back).collect()
}

/// Switches something of this namespace on.
fn set(switch: &str) -> Result<()> {
    let path = Path::new("/proc/sys").join(switch);
    std::fs::write(&path, "1").with_context(|| format!("switching {} on", path.display()))
}

/// Commands of `ip`, in one go, so that no packet passes between the first and the last.
fn batch(namespace: Option<&str>, commands: &[&str]) -> Result<()> {
    use std::io::Write as _;
    if commands.is_empty() {
        return Ok(());
    }
    let mut ip = Command::new("ip");
    if let Some(namespace) = namespace {
        ip.args(["-netns", namespace]);
    }
    let mut running = ip
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("running ip")?;
    if let Some(mut input) = running.stdin.take() {
        input.write_all(commands.join("\n").as_bytes())?;
        input.write_all(b"\n")?;
    }
    ensure!(running.wait()?.success(), "ip refused one of {commands:?}");
    Ok(())
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("running {program}"))?;
    ensure!(status.success(), "{program} {arguments:?} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_between_two_sides_goes_both_ways_and_spares_each_side() {
        let [one, two, three] = [1, 2, 3].map(Machine::node);
        let cuts = between(&[one], &[two, three]);
        let expected = [(one, two), (two, one), (one, three), (three, one)];
        assert_eq!(cuts, expected.into_iter().collect());
    }

    #[test]
    fn machines_have_names_and_addresses_of_their_own() {
        let machines = [Machine::node(1), Machine::node(2), Machine::database(1)];
        let names: BTreeSet<String> = machines.iter().map(|machine| machine.name()).collect();
        assert_eq!(names.len(), machines.len());
        let ends: BTreeSet<String> = machines.iter().map(|machine| machine.far_end()).collect();
        assert_eq!(ends.len(), machines.len());
        assert!(machines.iter().all(|machine| machine.address.is_loopback()));
    }
}
