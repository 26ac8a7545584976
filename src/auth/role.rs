//! The words for roles: ours, and those that other systems' tokens say.

use switchboard_domain::person::Role;

/// The role that a word means; `None` for a word that we do not know.
#[must_use]
pub fn named(word: &str) -> Option<Role> {
    Some(match word {
        "visitor" | "customer" | "user" => Role::Visitor,
        "agent" | "support" => Role::Agent,
        "supervisor" | "manager" => Role::Supervisor,
        "admin" | "ADMIN" => Role::Admin,
        "owner" | "super_admin" | "SUPER_ADMIN" => Role::Owner,
        _ => return None,
    })
}

/// Our word for a role.
#[must_use]
pub const fn word(role: Role) -> &'static str {
    match role {
        Role::Visitor => "visitor",
        Role::Agent => "agent",
        Role::Supervisor => "supervisor",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_contracts_is_known_and_no_other() {
        let table: &[(&[&str], Role)] = &[
            (&["visitor", "customer", "user"], Role::Visitor),
            (&["agent", "support"], Role::Agent),
            (&["supervisor", "manager"], Role::Supervisor),
            (&["admin", "ADMIN"], Role::Admin),
            (&["owner", "super_admin", "SUPER_ADMIN"], Role::Owner),
        ];
        for (words, role) in table {
            for text in *words {
                assert_eq!(named(text), Some(*role), "{text}");
            }
            assert_eq!(named(word(*role)), Some(*role));
        }
        for unknown in ["", " ", "Admin", "ADMIN ", "root", "Agent", "superadmin", "none", "null"] {
            assert_eq!(named(unknown), None, "{unknown}");
        }
    }
}
