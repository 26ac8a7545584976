//! The suite that every engine passes: what [`Store`] promises, one rule a test.
//!
//! An engine calls [`run`] with a way to open fresh stores and, if it outlives a process,
//! [`survives_reopening`] with a way to open the same one again. A broken rule panics.

mod sample;
mod log;
mod derived;
mod documents;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::port::Store;

pub use log::bodies;
pub use sample::{VISITOR, append, created, event, key, keyed, message, note};

type Rule = fn(Arc<dyn Store>) -> BoxFuture<'static, ()>;

/// Every rule by its name.
const RULES: &[(&str, Rule)] = &[
    ("events_are_read_in_order", |store| log::events_are_read_in_order(store).boxed()),
    ("the_same_append_changes_nothing", |store| {
        log::the_same_append_changes_nothing(store).boxed()
    }),
    ("an_overlapping_append_adds_the_rest", |store| {
        log::an_overlapping_append_adds_the_rest(store).boxed()
    }),
    ("a_taken_position_is_refused", |store| log::a_taken_position_is_refused(store).boxed()),
    ("a_gap_is_refused", |store| log::a_gap_is_refused(store).boxed()),
    ("a_refused_append_stores_nothing", |store| {
        log::a_refused_append_stores_nothing(store).boxed()
    }),
    ("a_refused_append_harms_no_other", |store| {
        log::a_refused_append_harms_no_other(store).boxed()
    }),
    ("streams_are_apart", |store| log::streams_are_apart(store).boxed()),
    ("tenants_are_apart", |store| log::tenants_are_apart(store).boxed()),
    ("pages_go_both_ways", |store| log::pages_go_both_ways(store).boxed()),
    ("writers_side_by_side_lose_nothing", |store| {
        log::writers_side_by_side_lose_nothing(store).boxed()
    }),
    ("two_writers_of_one_position_one_wins", |store| {
        log::two_writers_of_one_position_one_wins(store).boxed()
    }),
    ("a_dropped_reply_is_stored_or_not", |store| {
        log::a_dropped_reply_is_stored_or_not(store).boxed()
    }),
    ("sends_are_found", |store| log::sends_are_found(store).boxed()),
    ("every_kind_of_event_is_kept", |store| log::every_kind_of_event_is_kept(store).boxed()),
    ("a_conversation_is_loaded_from_its_log", |store| {
        derived::a_conversation_is_loaded_from_its_log(store).boxed()
    }),
    ("a_checkpoint_is_brought_up_to_date", |store| {
        derived::a_checkpoint_is_brought_up_to_date(store).boxed()
    }),
    ("an_older_checkpoint_replaces_nothing", |store| {
        derived::an_older_checkpoint_replaces_nothing(store).boxed()
    }),
    ("marks_stay_until_a_checkpoint_has_caught_up", |store| {
        derived::marks_stay_until_a_checkpoint_has_caught_up(store).boxed()
    }),
    ("lists_filter", |store| derived::lists_filter(store).boxed()),
    ("lists_page_through_everything_once", |store| {
        derived::lists_page_through_everything_once(store).boxed()
    }),
    ("lists_follow_checkpoints", |store| derived::lists_follow_checkpoints(store).boxed()),
    ("notes_do_not_move_what_visitors_list", |store| {
        derived::notes_do_not_move_what_visitors_list(store).boxed()
    }),
    ("numbers_name_conversations", |store| derived::numbers_name_conversations(store).boxed()),
    ("receipts_only_rise", |store| derived::receipts_only_rise(store).boxed()),
    ("it_is_kept_when_something_was_read", |store| {
        derived::it_is_kept_when_something_was_read(store).boxed()
    }),
    ("old_closed_conversations_are_purged", |store| {
        derived::old_closed_conversations_are_purged(store).boxed()
    }),
    ("a_purged_conversation_may_begin_again", |store| {
        derived::a_purged_conversation_may_begin_again(store).boxed()
    }),
    ("documents_are_kept_by_version", |store| {
        documents::documents_are_kept_by_version(store).boxed()
    }),
    ("documents_change_by_condition", |store| {
        documents::documents_change_by_condition(store).boxed()
    }),
    ("one_of_many_conditional_writes_wins", |store| {
        documents::one_of_many_conditional_writes_wins(store).boxed()
    }),
    ("one_of_many_creators_names_what_is_open", |store| {
        let stores = [Arc::clone(&store), store];
        async move { documents::one_of_many_creators_names_what_is_open(&stores).await }.boxed()
    }),
    ("documents_are_listed_by_kind", |store| {
        documents::documents_are_listed_by_kind(store).boxed()
    }),
    ("numbers_are_given_once", |store| documents::numbers_are_given_once(store).boxed()),
];

/// Runs every rule, each on a fresh store.
///
/// # Panics
/// When a rule is broken.
pub async fn run(fresh: impl AsyncFn() -> Arc<dyn Store>) {
    for (name, rule) in RULES {
        tracing::info!(rule = name, "testing");
        rule(fresh().await).await;
    }
}

/// Runs the rules of an engine that several processes may open at once, each with a way to open
/// the same store once more.
///
/// # Panics
/// When a rule is broken.
pub async fn is_shared(open: impl AsyncFn() -> Arc<dyn Store>) {
    let stores = [open().await, open().await, open().await];
    log::an_overtaken_owner_is_never_read(&stores).await;
    log::an_owner_finds_what_was_acknowledged_to_another(&stores).await;
    log::one_of_many_owners_goes_on(&stores).await;
    documents::one_of_many_creators_names_what_is_open(&stores).await;
}

/// Runs the rules of an engine that outlives its process: what was answered is there after
/// `open` opened the same store again, whether or not it was closed before.
///
/// # Panics
/// When a rule is broken.
pub async fn survives_reopening(open: impl AsyncFn() -> Arc<dyn Store>) {
    log::fill_for_reopening(open().await).await;
    log::check_after_reopening(open().await).await;
}
