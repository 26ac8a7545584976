//! What a widget asks of a visitor before a conversation begins, and whether it was answered.

use std::fmt;
use std::sync::Arc;

/// What an answer must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One line.
    Text,
    /// A mail address.
    Email,
    /// A phone number.
    Phone,
    /// Several lines.
    Long,
    /// One of the given choices.
    Choice,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name of its answer. `name`, `email` and `phone` ask for the contact.
    pub name: Arc<str>,
    /// What its answer must look like.
    pub kind: Kind,
    /// Whether it must be answered.
    pub required: bool,
    /// What may be chosen; empty for other kinds.
    pub choices: Vec<Arc<str>>,
}

/// Everything that a widget asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Whether a mail address is needed.
    pub email_required: bool,
    /// Whether a department must be chosen.
    pub department_required: bool,
    /// The questions, in order.
    pub fields: Vec<Field>,
}

/// What a visitor answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers<'a> {
    /// The name.
    pub name: Option<&'a str>,
    /// The mail address.
    pub email: Option<&'a str>,
    /// The phone number.
    pub phone: Option<&'a str>,
    /// The chosen department.
    pub department: Option<&'a str>,
    /// Everything else, by name.
    pub fields: &'a [(Arc<str>, Arc<str>)],
}

/// What keeps a conversation from beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// This must be answered.
    Missing(Arc<str>),
    /// This is none of the choices.
    NotAChoice(Arc<str>),
    /// This is no mail address.
    NotAnAddress(Arc<str>),
    /// This is no phone number.
    NotANumber(Arc<str>),
}

impl Unanswered {
    /// Which question.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Missing(name)
            | Self::NotAChoice(name)
            | Self::NotAnAddress(name)
            | Self::NotANumber(name) => name,
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "`{name}` must be answered"),
            Self::NotAChoice(name) => write!(f, "`{name}` is none of the choices"),
            Self::NotAnAddress(name) => write!(f, "`{name}` is not a mail address"),
            Self::NotANumber(name) => write!(f, "`{name}` is not a phone number"),
        }
    }
}

impl Intake {
    /// Whether the answers are enough to begin. What nobody asked is not looked at.
    ///
    /// # Errors
    ///
    /// The first question without a good answer.
    pub fn check(&self, answers: &Answers<'_>) -> Result<(), Unanswered> {
        if self.email_required && is_empty(answers.email) {
            return Err(Unanswered::Missing("email".into()));
        }
        if self.department_required && is_empty(answers.department) {
            return Err(Unanswered::Missing("department".into()));
        }
        self.fields.iter().try_for_each(|field| field.check(answers.to(&field.name)))
    }
}

impl<'a> Answers<'a> {
    fn to(&self, name: &str) -> Option<&'a str> {
        match name {
            "name" => self.name,
            "email" => self.email,
            "phone" => self.phone,
            _ => {
                let found = self.fields.iter().find(|(of, _)| **of == *name);
                found.map(|(_, value)| &**value)
            }
        }
    }
}

impl Field {
    fn check(&self, answer: Option<&str>) -> Result<(), Unanswered> {
        let name = || Arc::clone(&self.name);
        let Some(answer) = answer.filter(|answer| !is_empty(Some(answer))) else {
            return if self.required { Err(Unanswered::Missing(name())) } else { Ok(()) };
        };
        match self.kind {
            Kind::Choice if !self.choices.iter().any(|choice| **choice == *answer) => {
                Err(Unanswered::NotAChoice(name()))
            }
            Kind::Email if !is_mail_address(answer) => Err(Unanswered::NotAnAddress(name())),
            Kind::Phone if !is_phone_number(answer) => Err(Unanswered::NotANumber(name())),
            Kind::Text | Kind::Long | Kind::Choice | Kind::Email | Kind::Phone => Ok(()),
        }
    }
}

fn is_empty(answer: Option<&str>) -> bool {
    answer.is_none_or(|answer| answer.trim().is_empty())
}

/// Whether a text looks like a mail address: something, an @, a host, and nothing that would end
/// an address in a header or a list.
#[must_use]
pub fn is_mail_address(text: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c);
    text.rsplit_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
        && !text.chars().any(bad)
}

/// Whether a text can be a phone number: digits, and what people write between them.
fn is_phone_number(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || " +-./()#*,;extEXT".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: Kind, required: bool) -> Field {
        let choices =
            if kind == Kind::Choice { vec!["Sales".into(), "Help".into()] } else { vec![] };
        Field { name: name.into(), kind, required, choices }
    }

    fn check(intake: &Intake, answers: Answers<'_>, missing: Option<&str>) {
        let expected = missing.map_or(Ok(()), |name| Err(Unanswered::Missing(name.into())));
        assert_eq!(intake.check(&answers), expected, "{answers:?}");
    }

    #[test]
    fn what_must_be_answered_must_be_answered() {
        let email = Intake { email_required: true, ..Intake::default() };
        check(&email, Answers::default(), Some("email"));
        check(&email, Answers { email: Some(" "), ..Answers::default() }, Some("email"));
        check(&email, Answers { email: Some("a@b.c"), ..Answers::default() }, None);
        let department = Intake { department_required: true, ..Intake::default() };
        check(&department, Answers::default(), Some("department"));
        check(&department, Answers { department: Some("sales"), ..Answers::default() }, None);
        let fields = Intake {
            fields: vec![field("name", Kind::Text, true), field("order", Kind::Text, true)],
            ..Intake::default()
        };
        check(&fields, Answers::default(), Some("name"));
        let named = Answers { name: Some("Eve"), ..Answers::default() };
        check(&fields, named, Some("order"));
        let order = [("order".into(), "7".into())];
        check(&fields, Answers { fields: &order, ..named }, None);
    }

    #[test]
    fn an_answer_that_is_given_fits_its_kind() {
        let table: [(Kind, &str, bool); 12] = [
            (Kind::Choice, "Sales", true),
            (Kind::Choice, "sales", false),
            (Kind::Choice, "Other", false),
            (Kind::Email, "eve@example.com", true),
            (Kind::Email, "eve", false),
            (Kind::Email, "@example.com", false),
            (Kind::Email, "eve@example.com\nbcc: x@y", false),
            (Kind::Phone, "+49 (30) 1234-56 ext 7", true),
            (Kind::Phone, "call me", false),
            (Kind::Phone, "+", false),
            (Kind::Text, "<script>", true),
            (Kind::Long, "two\nlines", true),
        ];
        for (kind, answer, good) in table {
            let intake = Intake { fields: vec![field("it", kind, false)], ..Intake::default() };
            let fields = [("it".into(), answer.into())];
            let answers = Answers { fields: &fields, ..Answers::default() };
            assert_eq!(intake.check(&answers).is_ok(), good, "{kind:?} {answer}");
            check(&intake, Answers::default(), None);
        }
    }

    #[test]
    fn what_nobody_asked_is_not_looked_at() {
        let fields = [("else".into(), "anything".into())];
        check(&Intake::default(), Answers { fields: &fields, ..Answers::default() }, None);
    }
}
