//! A subscription's request, to be executed as often as there is something to tell, and what makes two
//! subscriptions equal.

use std::sync::Arc;

use async_graphql::{
    Request, Variables,
    parser::types::{ExecutableDocument, Selection},
};
use async_graphql_value::Value;
use domain::actor::{Actor, Membership};
use sha2::{Digest, Sha256};

use crate::{
    bus::hub::Key,
    graphql::Session,
    http::{budget::chosen, document::Prepared},
};

/// The argument that says where a subscription begins: what it is told afterwards does not depend on it.
const POSITION: &str = "after";

/// What a subscription asks for.
#[derive(Debug)]
pub(super) struct Template {
    query: String,
    name: Option<String>,
    variables: Variables,
    document: Arc<ExecutableDocument>,
}

impl Template {
    pub(super) fn of(prepared: &Prepared) -> Template {
        let Prepared { request, document, .. } = prepared;
        Template {
            query: request.query.clone(),
            name: request.operation_name.clone(),
            variables: request.variables.clone(),
            document: document.clone(),
        }
    }

    /// A request for it.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(self.query.as_str()).variables(self.variables.clone());
        request.operation_name.clone_from(&self.name);
        request.set_parsed_query(ExecutableDocument::clone(&self.document));
        request
    }

    /// Equal for subscriptions that are told the same: one operation with the same variables, and the same in
    /// all that the policy reads. The session is one without a person wherever that makes no difference.
    pub(super) fn key(&self, session: &Session) -> Key {
        let mut hash = Hash::default();
        hash.text(&self.query).text(self.name.as_deref().unwrap_or_default());
        let position = self.position_variable();
        for (name, value) in self.variables.iter().filter(|(name, _)| Some(name.as_str()) != position) {
            hash.text(name).text(&value.to_string());
        }
        let Actor::User(person) = session.actor() else { return hash.key() };
        hash.bytes(person.id.0.as_bytes());
        let mut memberships: Vec<Vec<u8>> = person.memberships.iter().map(bytes).collect();
        memberships.sort();
        memberships.iter().for_each(|membership| {
            hash.bytes(membership);
        });
        for action in person.only.iter().flat_map(|only| only.iter()) {
            hash.text("only").text(action);
        }
        hash.key()
    }

    /// The variable that only says where to begin, if there is one.
    fn position_variable(&self) -> Option<&str> {
        let operation = chosen(&self.document, self.name.as_deref())?;
        let Selection::Field(field) = &operation.selection_set.node.items.first()?.node else { return None };
        let Value::Variable(name) = &field.node.get_argument(POSITION)?.node else { return None };
        // Declared once and used once.
        (self.query.matches(&format!("${name}")).count() == 2).then_some(name.as_str())
    }
}

fn bytes(membership: &Membership) -> Vec<u8> {
    let Membership { organization, role, offerings } = membership;
    let mut offerings: Vec<_> = offerings.iter().map(|offering| offering.0.as_bytes().to_vec()).collect();
    offerings.sort();
    [organization.0.as_bytes().to_vec(), role.name().as_bytes().to_vec(), offerings.concat()].concat()
}

/// A hash of parts, each with its length, so that no two lists of parts look the same.
#[derive(Default)]
struct Hash(Sha256);

impl Hash {
    fn bytes(&mut self, part: &[u8]) -> &mut Hash {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    fn text(&mut self, part: &str) -> &mut Hash {
        self.bytes(part.as_bytes())
    }

    fn key(self) -> Key {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Value as Json, value};
    use chrono::DateTime;
    use domain::{
        actor::Person,
        id::{OrganizationId, UserId},
        role::Role,
    };
    use uuid::Uuid;

    use super::*;
    use crate::{
        http::{
            document::Documents,
            envelope::Envelope,
            live::crier::scope,
            texts::{Texts, Trusted},
        },
        usecase::session::Credentials,
    };

    const TEXT: &str =
        "subscription($where: W, $after: String) { events(where: $where, after: $after) { cursor } }";

    fn session(person: u128, role: Role, organization: u128) -> Session {
        let id = UserId(Uuid::from_u128(person));
        let organization = OrganizationId(Uuid::from_u128(organization));
        let memberships = vec![Membership { organization, role, offerings: Vec::new() }];
        let actor = Actor::User(Person { id, memberships, only: None });
        Session::new(actor, Credentials::of(id, None), DateTime::UNIX_EPOCH)
    }

    fn key(text: &str, variables: Json, session: Session) -> Key {
        let documents = Documents::new(Texts::new(Trusted::default(), false));
        let request = Request::new(text).variables(Variables::from_value(value!(variables)));
        let prepared = documents.prepare(Envelope { request, persisted: None, document: None }).unwrap();
        Template::of(&prepared).key(&scope(session).0)
    }

    #[test]
    fn those_who_ask_for_the_same_and_see_the_same_are_equal() {
        let staff = || session(1, Role::Staff, 9);
        let (nothing, from) = (value!({}), value!({ "after": "abc" }));
        let first = key(TEXT, nothing.clone(), staff());
        assert_eq!(first, key(TEXT, from.clone(), staff()), "from wherever they begin");
        assert_eq!(first, key(TEXT, nothing.clone(), session(2, Role::Staff, 9)), "whoever they are");
        let others = [
            key(TEXT, value!({ "where": { "status": "draft" } }), staff()),
            key(&TEXT.replace("{ cursor }", "{ kind cursor }"), nothing.clone(), staff()),
            key(TEXT, nothing.clone(), session(1, Role::Support, 9)),
            key(TEXT, nothing.clone(), session(1, Role::Provider, 9)),
            key(TEXT, nothing.clone(), session(1, Role::Provider, 8)),
            key(TEXT, nothing.clone(), session(1, Role::Consumer, 9)),
            key(TEXT, nothing, session(2, Role::Consumer, 9)),
        ];
        let all: std::collections::BTreeSet<Key> = others.into_iter().chain([first]).collect();
        assert_eq!(all.len(), 8, "two of them that are not equal have one key");
    }

    #[test]
    fn a_variable_that_says_more_than_where_to_begin_counts() {
        let text = "subscription($a: String) { events(after: $a) { cursor(of: $a) } }";
        let staff = || session(1, Role::Staff, 9);
        assert_ne!(key(text, value!({ "a": "x" }), staff()), key(text, value!({ "a": "y" }), staff()));
    }
}
