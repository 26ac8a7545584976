//! The tables: numbered migrations from the `schema` folder, applied in order and once each.

use std::fmt;
use std::time::Duration;

use scylla::client::session::Session;
use scylla::errors::ExecutionError;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;

use super::error::{ConnectError, Failure, Outcome};
use super::statements::unprepared;

/// Every migration: its number, its name and its statements.
const MIGRATIONS: &[(i32, &str, &str)] =
    &[(1, "first", include_str!("../../../schema/0001_first.cql"))];

/// The newest migration known here.
pub(super) const NEWEST: i32 = MIGRATIONS[MIGRATIONS.len() - 1].0;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration \
     (scope text, number int, name text, PRIMARY KEY ((scope), number))";
const APPLIED: &str = "SELECT number FROM schema_migration WHERE scope = 'all'";
/// How often a statement is tried, a second apart: nodes of a database that has just been started
/// learn of each other, and of a new table, one after the other.
const ATTEMPTS: u32 = 20;
const BETWEEN: Duration = Duration::from_secs(1);
const ENTER: &str = "INSERT INTO schema_migration (scope, number, name) VALUES ('all', ?, ?)";

/// Makes the keyspace, if it is absent, and its tables what this program expects. May be run
/// again, and by several nodes at once: each statement changes nothing the second time.
pub(super) async fn migrate(
    session: &Session,
    keyspace: &str,
    replication: u8,
) -> Result<(), ConnectError> {
    let create = format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = \
         {{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication}}}"
    );
    let run = async |what: &str, cql: &str| ask(session, what, cql, ()).await;
    run("the keyspace", &create).await?;
    // Some nodes may not know of it yet, and none refuses it for good.
    let enter = async || session.use_keyspace(keyspace, false).await;
    persist("entering the keyspace", |_| false, enter).await.map_err(|why| {
        let (keyspace, why) = (keyspace.into(), why.to_string());
        ConnectError::Keyspace { keyspace, why }
    })?;
    run("the list of migrations", TABLE).await?;
    let newest = applied(session).await?;
    for (number, name, cql) in MIGRATIONS.iter().filter(|migration| migration.0 > newest) {
        for statement in statements(cql) {
            run(&format!("{number:04}_{name}"), &statement).await?;
        }
        ask(session, name, ENTER, (number, *name)).await?;
        tracing::info!(number, name, "migration applied");
    }
    Ok(())
}

/// Whether this program works with tables up to that migration: with those that it knows, and with
/// one more, which the nodes of the version before find while a cluster is upgraded. A migration
/// only adds, so they never miss anything.
pub(super) const fn check(found: i32) -> Result<(), ConnectError> {
    if found < NEWEST {
        return Err(ConnectError::Schema { found, needed: NEWEST });
    }
    if found > NEWEST + 1 {
        return Err(ConnectError::SchemaTooNew { found, known: NEWEST });
    }
    Ok(())
}

/// The newest migration that a keyspace has; 0 for none.
pub(super) async fn applied(session: &Session) -> Result<i32, ConnectError> {
    const WHAT: &str = "the list of migrations";
    let failed = |why: &dyn fmt::Display| ConnectError::Migration {
        what: WHAT.into(),
        why: why.to_string(),
    };
    let answer = ask(session, WHAT, APPLIED, ()).await?;
    let rows = answer.into_rows_result().map_err(|why| failed(&why))?;
    let mut newest = 0;
    for row in rows.rows::<(i32,)>().map_err(|why| failed(&why))? {
        newest = newest.max(row.map_err(|why| failed(&why))?.0);
    }
    Ok(newest)
}

/// Runs a statement that may be run again.
async fn ask(
    session: &Session,
    what: &str,
    cql: &str,
    values: impl SerializeRow,
) -> Result<QueryResult, ConnectError> {
    let is_refused = |why: &ExecutionError| Failure::from(why.clone()).outcome == Outcome::Wrong;
    let run = async || session.query_unpaged(unprepared(cql), &values).await;
    persist(what, is_refused, run).await.map_err(|why| {
        let (what, why) = (what.into(), why.to_string());
        ConnectError::Migration { what, why }
    })
}

/// Does what may be done again, until it succeeds, is refused for good, or was tried often enough.
async fn persist<T, E: fmt::Display>(
    what: &str,
    is_refused: impl Fn(&E) -> bool,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(why) if !is_refused(&why) => {
                tracing::warn!(what, %why, "the database is not ready, trying again");
            }
            ended => return ended,
        }
        tokio::time::sleep(BETWEEN).await;
    }
    attempt().await
}

/// The statements of a CQL text, each on one line and without comments.
fn statements(cql: &str) -> Vec<String> {
    let code: Vec<&str> = cql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let code = code.join("\n");
    let words = |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ");
    code.split(';').map(words).filter(|statement| !statement.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURRENT: &str = include_str!("../../../schema/current.cql");

    #[test]
    fn the_current_schema_is_the_sum_of_all_migrations() {
        let sum: Vec<String> = MIGRATIONS.iter().flat_map(|(.., cql)| statements(cql)).collect();
        assert_eq!(statements(CURRENT), sum);
        assert!(sum.len() > 10, "{sum:?}");
    }

    #[test]
    fn one_migration_more_is_tolerated_and_others_are_refused_by_both_numbers() {
        check(NEWEST).expect("its own");
        check(NEWEST + 1).expect("the next one");
        let told = |found| check(found).expect_err("it is refused").to_string();
        let (older, newer) = (told(NEWEST - 1), told(NEWEST + 2));
        assert!(older.contains(&format!("version {}, this program needs {NEWEST};", NEWEST - 1)));
        assert!(older.contains("`switchboard migrate`"), "{older}");
        assert!(newer.contains(&format!("version {}, this program knows {NEWEST} ", NEWEST + 2)));
        assert!(newer.contains("run a newer version of `switchboard`"), "{newer}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_database_does_not_know_yet_is_asked_again_and_what_it_refuses_is_not() {
        let tried = async |knows_after: u32, refusal: &str| {
            let mut n = 0;
            let attempt = async || {
                n += 1;
                if n > knows_after { Ok(()) } else { Err(refusal.to_owned()) }
            };
            let ended = persist("a test", |why: &String| why == "never", attempt).await;
            (ended, n)
        };
        assert_eq!(tried(2, "not yet").await, (Ok(()), 3));
        assert_eq!(tried(19, "not yet").await, (Ok(()), 20));
        assert_eq!(tried(20, "not yet").await, (Err("not yet".to_owned()), 20));
        assert_eq!(tried(2, "never").await, (Err("never".to_owned()), 1));
    }

    #[test]
    fn migrations_are_numbered_without_a_gap_and_may_run_again() {
        for ((number, name, cql), expected) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(*number, expected, "{name}");
            for statement in statements(cql) {
                assert!(statement.contains(" IF NOT EXISTS "), "{statement}");
            }
        }
    }

    #[test]
    fn only_the_tables_of_leases_and_conditions_are_named_without_a_materialised_view() {
        for forbidden in ["MATERIALIZED", "CREATE INDEX", "ALLOW FILTERING"] {
            assert!(!CURRENT.contains(forbidden), "{forbidden}");
        }
    }
}
