//! Every bound of the rules, with its unit and its reason.
//!
//! Sizes of text are bytes of UTF-8, because bytes are what queues and disks pay for; what people
//! count (a preview) is in characters.

/// Bytes of one message, note or whisper. Long enough for a pasted log, short enough that a
/// page of 200 stays near three megabytes at the very worst.
pub const TEXT_BYTES_MAX: usize = 16_384;
/// Files of one message. A person attaches a handful; each is checked when it is sent.
pub const FILES_MAX: usize = 10;
/// Bytes of the id of an attached file: a UUID or an object key of ours, never free text.
pub const FILE_ID_BYTES_MAX: usize = 128;
/// Characters of the newest message that lists show: one line of a wide list.
pub const PREVIEW_CHARS_MAX: usize = 80;
/// Bytes of a subject: one line, as a mail subject.
pub const SUBJECT_BYTES_MAX: usize = 500;
/// Bytes of a person's name; longer ones exist nowhere but in attacks.
pub const NAME_BYTES_MAX: usize = 200;
/// Bytes of a mail address (RFC 5321: 254).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Bytes of a phone number: fifteen digits, a prefix, spaces and an extension.
pub const PHONE_BYTES_MAX: usize = 64;
/// Bytes of a conversation's context, names and values together: a page, a referrer, a title.
pub const CONTEXT_BYTES_MAX: usize = 4_096;
/// Bytes of the pre-chat answers, names and values together: a form, not a document.
pub const FIELDS_BYTES_MAX: usize = 4_096;
/// Questions that a widget asks before a conversation; a longer form is not filled in.
pub const INTAKE_FIELDS_MAX: usize = 8;
/// Choices of one such question.
pub const INTAKE_CHOICES_MAX: usize = 32;
/// Bytes of the address of a page that a visitor is on: what browsers and servers agree on.
pub const PAGE_URL_BYTES_MAX: usize = 2_048;
/// Bytes of its title: what a tab shows, and some.
pub const PAGE_TITLE_BYTES_MAX: usize = 200;
/// Pages of a visitor that are remembered: how somebody came here, not a history.
pub const TRAIL_PAGES_MAX: usize = 20;
/// Bytes that are looked for: a pasted address or subject.
pub const SEARCH_BYTES_MAX: usize = 200;
/// Words that are looked for at once.
pub const SEARCH_WORDS_MAX: usize = 8;
/// Tags of one conversation; more cannot be read in a list.
pub const TAGS_MAX: usize = 32;
/// Skills that one conversation asks for.
pub const SKILLS_MAX: usize = 16;
/// Bytes of one tag or skill.
pub const LABEL_BYTES_MAX: usize = 64;
/// Bytes of the reason of a transfer: it becomes a note, so a note's bound.
pub const REASON_BYTES_MAX: usize = TEXT_BYTES_MAX;
/// Bytes of the comment of a rating: a paragraph.
pub const COMMENT_BYTES_MAX: usize = 4_000;
/// Lowest and highest score of a rating.
pub const SCORE_MIN: u8 = 1;
/// See [`SCORE_MIN`].
pub const SCORE_MAX: u8 = 5;
/// How long a visitor may edit or redact an own message, in milliseconds: long enough for a typing
/// slip, short enough that an agent does not answer a text that changes under the hand.
pub const VISITOR_EDIT_MS: i64 = 60_000;
/// How long an agent may edit or redact an own message or note, in milliseconds.
pub const AGENT_EDIT_MS: i64 = 15 * 60_000;
/// Devices a conversation remembers in memory; others are looked up in the log. A person has a
/// few; the bound only limits what a hostile client can make us hold.
pub const DEVICES_KEPT_MAX: usize = 16;
/// Sends a device remembers by position; equal to what a client may have unacked, so that a
/// reconnect is answered from memory.
pub const SENDS_KEPT_MAX: usize = 16;
/// How long after its last socket closed an agent still counts as there, in milliseconds: a page
/// reload and a change of network take less.
pub const PRESENCE_GRACE_MS: i64 = 10_000;
/// How long a heartbeat or a REST call keeps an agent without a socket there, in milliseconds.
pub const PRESENCE_LEASE_MS: i64 = 120_000;
/// Conversations that an agent takes at once: at least.
pub const CAPACITY_MIN: usize = 1;
/// At most; nobody writes with more people at a time.
pub const CAPACITY_MAX: usize = 20;
/// For an agent of whom nobody said otherwise.
pub const CAPACITY_DEFAULT: usize = 5;
/// How long a slot stays reserved, in milliseconds: longer than the append behind it may take.
pub const RESERVATION_MS: i64 = 10_000;
/// Waiting this long is worth one level of priority, in milliseconds: what is low passes what is
/// urgent and came a quarter of an hour later.
pub const AGEING_MS: i64 = 5 * 60_000;
/// Positions in a line up to here are shown exactly, above in bands.
pub const POSITION_EXACT_MAX: usize = 20;
/// Served conversations that an estimate needs before it speaks; fewer say more about chance.
pub const ETA_SAMPLES_MIN: usize = 20;
/// Served conversations that an estimate looks back on: the last hours, not the last year.
pub const ETA_SAMPLES_MAX: usize = 100;
/// How long a drain may take, in milliseconds: what orchestrators grant by default.
pub const DRAIN_MS: i64 = 30_000;
/// Stretches of business hours in one day.
pub const HOURS_PER_DAY_MAX: usize = 8;
/// Holidays of one schedule: some years of them.
pub const HOLIDAYS_MAX: usize = 400;
/// How far a schedule looks ahead, in days: a year, a leap day, yesterday and today.
pub const SCHEDULE_DAYS_MAX: usize = 368;
