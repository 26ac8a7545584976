//! How many wrong passwords are taken, and from whom.
//!
//! A stranger guesses against three budgets: of the address for this account, of the address
//! altogether, and of the account from strangers altogether. A browser that signed in before has a
//! budget of its own instead, so that nobody else can lock its person out.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant};

use crate::edge::limits::{Bucket, Rate, network};
use crate::notices::{Notice, Teller};

/// In which time the budgets come back.
const WITHIN: Duration = Duration::from_secs(15 * 60);
/// Wrong passwords from one address, or from one known browser, for one account.
const PAIR_MAX: u32 = 10;
/// From one address for any account: an office behind one address has a bad morning.
const ADDRESS_MAX: u32 = 100;
/// For one account from all browsers that were never signed in to it.
const ACCOUNT_MAX: u32 = 50;
/// Budgets in memory at most, some 60 bytes each. Beyond it those that are full again are
/// forgotten, and if that does not help, newcomers share one.
const BUDGETS_MAX: usize = 100_000;
/// How often a full table is looked through at most: it takes a while.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// An account as it is counted: whether it exists or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Account(pub [u8; 16]);

impl Account {
    /// The account of a mail address.
    #[must_use]
    pub fn of(tenant: &str, email: &str) -> Self {
        let digest = Sha256::new().chain_update(tenant).chain_update([0]).chain_update(email);
        let mut short = [0; 16];
        short.copy_from_slice(&digest.finalize()[..16]);
        Self(short)
    }
}

/// Whose budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Pair(IpAddr, Account),
    Address(IpAddr),
    Account(Account),
    Device(Account, u128),
    Newcomers,
}

impl Whose {
    fn rate(self) -> Rate {
        let n = match self {
            Self::Pair(..) | Self::Device(..) => PAIR_MAX,
            Self::Address(_) | Self::Newcomers => ADDRESS_MAX,
            Self::Account(_) => ACCOUNT_MAX,
        };
        Rate::new(n, WITHIN)
    }
}

/// All budgets.
#[derive(Debug)]
pub struct Attempts {
    budgets: Mutex<Budgets>,
    budgets_max: usize,
    teller: Teller,
}

#[derive(Debug, Default)]
struct Budgets {
    of: HashMap<Whose, Bucket>,
    looked_through_at: Option<Instant>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { budgets: Mutex::default(), budgets_max: BUDGETS_MAX, teller: Teller::NOBODY }
    }
}

/// An attempt under way: paid for beforehand, so that a crowd of them at once is counted.
#[derive(Debug)]
#[must_use = "a right password gives back what was paid"]
pub struct Attempt<'a> {
    of: &'a Attempts,
    by: By,
    paid: Vec<Whose>,
}

/// From where, for which account, and by which browser that is known for it.
#[derive(Clone, Copy, Debug)]
struct By {
    address: IpAddr,
    account: Account,
    device: Option<u128>,
}

impl By {
    fn budgets(self) -> Vec<Whose> {
        let Self { address, account, device } = self;
        match device {
            Some(device) => vec![Whose::Device(account, device)],
            None => vec![
                Whose::Pair(address, account),
                Whose::Address(address),
                Whose::Account(account),
            ],
        }
    }

    const fn notice(self, is_back: bool) -> Notice {
        let Self { address, account, device } = self;
        Notice::Tried { address, account: account.0, device, is_back }
    }
}

impl Attempts {
    /// None so far; other nodes are told through that.
    #[must_use]
    pub fn new(teller: Teller) -> Self {
        Self { teller, ..Self::default() }
    }

    /// Begins an attempt, from a browser that is known for this account or from a stranger's.
    ///
    /// # Errors
    ///
    /// How long to wait, when a budget is used up.
    pub fn begin(
        &self,
        address: IpAddr,
        account: Account,
        device: Option<u128>,
        now: Instant,
    ) -> Result<Attempt<'_>, Duration> {
        let by = By { address: network(address), account, device };
        let paid = self.budgets.lock().pay(by, self.budgets_max, now)?;
        self.teller.tell(&by.notice(false));
        Ok(Attempt { of: self, by, paid })
    }

    /// An attempt on another node began, or is not counted after all.
    pub fn heard(
        &self,
        address: IpAddr,
        account: Account,
        device: Option<u128>,
        is_back: bool,
        now: Instant,
    ) {
        let by = By { address, account, device };
        let mut budgets = self.budgets.lock();
        if is_back {
            budgets.give_back(&by.budgets());
        } else {
            // Used up here is used up.
            let _paid = budgets.pay(by, self.budgets_max, now);
        }
    }
}

impl Budgets {
    fn pay(&mut self, by: By, budgets_max: usize, now: Instant) -> Result<Vec<Whose>, Duration> {
        let wanted = by.budgets();
        let is_over = |n: usize| n + wanted.len() > budgets_max;
        let looked = self.looked_through_at;
        if is_over(self.of.len()) && looked.is_none_or(|at| now >= at + FORGET_EVERY) {
            self.of.retain(|whose, bucket| !bucket.is_full(whose.rate(), now));
            self.looked_through_at = Some(now);
        }
        let budgets = &mut self.of;
        let is_crowded = is_over(budgets.len());
        let paid: Vec<Whose> = wanted
            .into_iter()
            .map(|whose| match is_crowded && !budgets.contains_key(&whose) {
                true => Whose::Newcomers,
                false => whose,
            })
            .collect();
        let wait = paid.iter().map(|whose| {
            let rate = whose.rate();
            budgets.entry(*whose).or_insert_with(|| Bucket::full(rate, now)).wait(rate, now)
        });
        let wait = wait.max().unwrap_or_default();
        if wait > Duration::ZERO {
            return Err(wait);
        }
        for whose in &paid {
            if let Some(bucket) = budgets.get_mut(whose) {
                bucket.take(whose.rate(), now);
            }
        }
        Ok(paid)
    }

    fn give_back(&mut self, paid: &[Whose]) {
        for whose in paid {
            if let Some(bucket) = self.of.get_mut(whose) {
                bucket.give_back(whose.rate());
            }
        }
    }
}

impl Attempt<'_> {
    /// The password was right, or was not looked at: nothing is counted.
    pub fn give_back(self) {
        self.of.budgets.lock().give_back(&self.paid);
        self.of.teller.tell(&self.by.notice(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        attempts: Attempts,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { attempts: Attempts::default(), now: Instant::now() }
        }

        /// Whether a wrong password is looked at.
        fn fails(&self, address: &str, email: &str, device: Option<u128>) -> bool {
            let account = Account::of("acme", email);
            let address = address.parse().unwrap();
            self.attempts.begin(address, account, device, self.now).is_ok()
        }
    }

    fn address(n: usize) -> String {
        format!("10.0.{}.{}", n / 250, n % 250 + 1)
    }

    #[test]
    fn one_address_has_ten_tries_for_one_account() {
        let bench = Bench::new();
        let tries = (0..12).filter(|_| bench.fails("192.0.2.1", "ada", None)).count();
        assert_eq!(tries, 10);
        assert!(bench.fails("192.0.2.1", "ben", None), "another account");
        assert!(bench.fails("192.0.2.2", "ada", None), "another address");
        assert!(!bench.fails("::ffff:192.0.2.1", "ada", None), "the same address");
    }

    #[test]
    fn one_address_has_a_hundred_tries_altogether() {
        let bench = Bench::new();
        let tries = (0..150).filter(|n| bench.fails("192.0.2.1", &n.to_string(), None)).count();
        assert_eq!(tries, 100);
    }

    #[test]
    fn strangers_have_fifty_tries_and_never_lock_a_known_browser_out() {
        let bench = Bench::new();
        let tries = (0..80).filter(|n| bench.fails(&address(*n), "ada", None)).count();
        assert_eq!(tries, 50);
        assert!(!bench.fails("192.0.2.77", "ada", None), "strangers wait");
        assert!(bench.fails("192.0.2.77", "ada", Some(1)), "a known browser does not");
        let tries = (0..12).filter(|_| bench.fails("192.0.2.77", "ada", Some(1))).count();
        assert_eq!(tries, 9, "and has a budget too");
        assert!(bench.fails("192.0.2.77", "ada", Some(2)), "each its own");
    }

    #[test]
    fn time_brings_tries_back_and_says_when() {
        let mut bench = Bench::new();
        while bench.fails("192.0.2.1", "ada", None) {}
        let account = Account::of("acme", "ada");
        let address = "192.0.2.1".parse().unwrap();
        let wait = bench.attempts.begin(address, account, None, bench.now).unwrap_err();
        assert!((89..=91).contains(&wait.as_secs()), "{wait:?}");
        bench.now += wait;
        assert!(bench.fails("192.0.2.1", "ada", None));
        assert!(!bench.fails("192.0.2.1", "ada", None));
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let bench = Bench::new();
        let account = Account::of("acme", "ada");
        let address = "192.0.2.1".parse().unwrap();
        for _ in 0..200 {
            let attempt = bench.attempts.begin(address, account, None, bench.now).unwrap();
            attempt.give_back();
        }
        let tries = (0..12).filter(|_| bench.fails("192.0.2.1", "ada", None)).count();
        assert_eq!(tries, 10, "and brings no more than there was");
    }

    #[test]
    fn tries_on_another_node_count_here_until_they_are_taken_back() {
        let bench = Bench::new();
        let (account, address) = (Account::of("acme", "ada"), "192.0.2.1".parse().unwrap());
        let heard = |is_back| bench.attempts.heard(address, account, None, is_back, bench.now);
        for _ in 0..7 {
            heard(false);
        }
        heard(true);
        let tries = (0..12).filter(|_| bench.fails("192.0.2.1", "ada", None)).count();
        assert_eq!(tries, 4, "ten, without the six that were tried elsewhere");
        heard(false);
        assert!(!bench.fails("192.0.2.1", "ada", None));
    }

    #[test]
    fn a_crowd_at_once_is_counted() {
        let bench = Bench::new();
        let account = Account::of("acme", "ada");
        let address = "192.0.2.1".parse().unwrap();
        let crowd: Vec<_> = (0..50)
            .filter_map(|_| bench.attempts.begin(address, account, None, bench.now).ok())
            .collect();
        assert_eq!(crowd.len(), 10);
    }

    #[test]
    fn memory_is_bounded_however_many_come() {
        let mut bench = Bench::new();
        bench.attempts.budgets_max = 1_000;
        for n in 0..2_000 {
            bench.fails(&address(n), &n.to_string(), None);
        }
        assert!(bench.attempts.budgets.lock().of.len() <= 1_001);
        bench.now += WITHIN;
        assert!(bench.fails("192.0.2.1", "ada", None), "those of before are forgotten");
        assert!(bench.attempts.budgets.lock().of.len() < 10);
    }
}
