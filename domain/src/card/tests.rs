use super::*;
use crate::conversation::fixture::*;
use crate::conversation::{Command, Created, Rating, Start};
use crate::ids::Number;
use crate::person::Caller;

fn usual() -> Created {
    let mut created = created();
    created.visitor.name = Some("Maria Petersen".into());
    created.visitor.email = Some("maria.petersen@example.com".into());
    created.subject = Some("My order 4711 has not arrived yet".into());
    created.department = Some(department("support"));
    created.skills = vec!["de".into(), "shipping".into()];
    created
}

fn begun(created: Created, steps: &[(Caller, Command)]) -> Chat {
    let mut chat = Chat::empty();
    let create = Command::Create {
        created: Box::new(created),
        welcome: None,
        message: None,
        start: Start::Waiting,
    };
    chat.must(&vera(), create);
    for (caller, command) in steps {
        chat.must(caller, command.clone());
    }
    chat
}

fn card_of(created: Created, steps: &[(Caller, Command)]) -> Card {
    Card::of(begun(created, steps).state())
}

#[test]
fn a_usual_card_costs_half_a_kibibyte() {
    let text = "Hello, I ordered a lamp on the second of this month and it has still not arrived.";
    let card = card_of(
        usual(),
        &[(ben(), accept(&ben())), (ben(), tag(&["shipping", "vip"])), (vera(), say(text))],
    );
    assert_eq!(card.last_text().map(|text| text.chars().count()), Some(80), "a full preview");
    let bytes = card.bytes();
    assert!(bytes <= BYTES_TYPICAL_MAX, "{bytes} bytes");
    let Card { texts: Texts { all, .. }, .. } = &card;
    assert_eq!(bytes, size_of::<Card>() + size_of_val(&**all), "one allocation, exactly filled");
}

#[test]
fn a_card_says_what_the_state_says() {
    let rating = Rating { score: 4, comment: Some("fine".into()) };
    let card = card_of(
        usual(),
        &[
            (ben(), accept(&ben())),
            (ben(), hand_to(&cyd(), "")),
            (ben(), tag(&["b", "a"])),
            (ben(), Command::LinkTicket { ticket: Number(1_000_009) }),
            (ben(), say("hello  there")),
            (vera(), say("hi")),
        ],
    );
    assert_eq!(card.subject(), Some("My order 4711 has not arrived yet"));
    assert_eq!(card.department(), Some("support"));
    assert_eq!(card.visitor_name(), Some("Maria Petersen"));
    assert_eq!(card.visitor_email(), Some("maria.petersen@example.com"));
    assert_eq!(card.agent_name(), Some("Cyd"));
    assert_eq!(card.agent, cyd().author.principal.agent());
    assert!(card.transferred);
    assert_eq!((card.last_name(), card.last_text()), (Some("Vera"), Some("hi")));
    assert_eq!(
        card.last.map(|last| (last.seq, last.from)),
        Some((Seq(5), vera().author.principal))
    );
    assert_eq!(card.tags().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(card.skills().collect::<Vec<_>>(), ["de", "shipping"]);
    assert_eq!(card.ticket(), Some(Number(1_000_009)));
    assert_eq!((card.score(), card.comment()), (None, None));
    assert_eq!(card.heads, Heads { public: Seq(5), internal: Seq(2) });

    let card = card_of(created(), &[(vera(), close()), (vera(), Command::Rate(rating))]);
    assert_eq!((card.score(), card.comment()), (Some(4), Some("fine")));
    assert_eq!((card.subject(), card.department(), card.agent_name()), (None, None, None));
    assert_eq!((card.last_name(), card.last_text(), card.last), (None, None, None));
    assert_eq!((card.tags().count(), card.skills().count()), (0, 0));
}

#[test]
fn a_text_beyond_all_limits_is_left_out_and_moves_no_other() {
    let mut state = begun(usual(), &[(vera(), say("hi"))]).state().clone();
    state.subject = Some("x".repeat(70_000).into());
    let card = Card::of(&state);
    assert_eq!((card.subject(), card.department()), (None, Some("support")));
    assert_eq!(card.last_text(), Some("hi"));
}

#[test]
fn unread_follows_from_the_ordinals() {
    let chat = begun(created(), &[(vera(), say("1")), (ben(), say("2")), (vera(), say("3"))]);
    let card = Card::of(chat.state());
    let mut receipt = Receipt::default();
    let unread = |receipt: &Receipt| {
        (card.unread(Side::Visitor, receipt), card.unread(Side::Agent, receipt))
    };
    assert_eq!(unread(&receipt), (1, 2));
    receipt.read(Seq(2), chat.log[1].ordinals, Timestamp(0));
    assert_eq!(unread(&receipt), (1, 1));
    receipt.read(Seq(4), chat.log[3].ordinals, Timestamp(0));
    assert_eq!(unread(&receipt), (0, 0));
}

#[test]
fn lists_rise_by_key() {
    let card = |id: u128, since: Option<i64>, last_at: i64, priority| {
        let mut state = begun(created(), &[]).state().clone();
        state.id = ConversationId::from_u128(id);
        state.waiting_since = since.map(Timestamp);
        state.last_at = Timestamp(last_at);
        state.priority = priority;
        Card::of(&state)
    };
    let cards = [
        card(1, Some(100), 900, Priority::Medium),
        card(2, Some(50), 100, Priority::Medium),
        card(3, Some(120), 120, Priority::Urgent),
        card(4, None, 500, Priority::Urgent),
        card(5, None, 800, Priority::Low),
        card(6, Some(50), 100, Priority::Medium),
    ];
    for (sort, expect) in [(Sort::Waiting, [3, 2, 6, 1, 5, 4]), (Sort::Recent, [1, 5, 4, 3, 2, 6])]
    {
        let mut sorted: Vec<&Card> = cards.iter().collect();
        sorted.sort_by_key(|card| card.key(sort));
        let ids: Vec<u128> = sorted.iter().map(|card| card.id.uuid().as_u128()).collect();
        assert_eq!(ids, expect, "{sort:?}");
    }
}

#[test]
fn sight_needs_no_more_than_the_card() {
    let chat = begun(usual(), &[(ben(), accept(&ben()))]);
    let (from_state, card) = (Subject::of(chat.state()), Card::of(chat.state()));
    let from_card = card.sight();
    assert_eq!(
        (from_state.visitor, from_state.agent, from_state.department),
        (from_card.visitor, from_card.agent, from_card.department)
    );
}
