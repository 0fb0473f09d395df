//! Tells a group: executes its operation, as anybody in the group, for what has happened.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::Response;
use domain::{
    actor::Actor,
    id::{SessionId, UserId},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};

use super::{said::Said, template::Template};
use crate::{
    bus::hub::{Key, Teller, Tidings},
    error::{Error, Result},
    graphql::{Session, Stage},
    http::{
        fault::{broken, coded, first_code},
        operation::Operations,
    },
    usecase::session::{self, Credentials},
};

/// By what a subscriber's rights are read.
#[derive(Clone, Debug)]
pub(in crate::http) struct Who(Credentials);

impl Who {
    pub(super) fn of(session: &Session) -> Who {
        Who(session.credentials().clone())
    }

    fn id(&self) -> (UserId, Option<SessionId>) {
        (self.0.user, self.0.session)
    }
}

/// Memberships that an identity provider gives are part of what makes a group, so they are equal there.
impl PartialEq for Who {
    fn eq(&self, other: &Who) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Who {}

impl std::hash::Hash for Who {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

/// Tells one group.
pub(in crate::http) struct Crier {
    pub(super) operations: Operations,
    pub(super) template: Arc<Template>,
    /// Of anybody in the group.
    pub(super) session: Session,
    pub(super) key: Key,
}

impl Teller for Crier {
    type Words = Said;
    type Who = Who;

    fn tell(&self, tidings: Vec<Tidings>) -> BoxFuture<'_, Result<Vec<Said>>> {
        tell(&self.operations, &self.template, &self.session, tidings).boxed()
    }

    fn is_account(&self, who: &Who, account: UserId) -> bool {
        who.0.user == account
    }

    fn weigh(&self, words: &Said) -> usize {
        words.weight()
    }

    fn moved(&self, listeners: Vec<Who>) -> BoxFuture<'_, Result<HashSet<Who>>> {
        self.find_moved(listeners).boxed()
    }
}

impl Crier {
    async fn find_moved(&self, listeners: Vec<Who>) -> Result<HashSet<Who>> {
        let credentials: Vec<Credentials> = listeners.iter().map(|who| who.0.clone()).collect();
        let actors = session::actors(self.operations.app(), &credentials).await?;
        let stays = |who: &Who, actor: Option<Actor>| {
            let session = Session::new(actor?, who.0.clone(), self.session.expires_at());
            (self.template.key(&scope(session).0) == self.key).then_some(())
        };
        let both = listeners.into_iter().zip(actors);
        Ok(both.filter(|(who, actor)| stays(who, actor.clone()).is_none()).map(|(who, _)| who).collect())
    }
}

/// The session that all share who see the same, and whose it is where nobody else sees that.
pub(super) fn scope(session: Session) -> (Session, Option<UserId>) {
    match session.of_anyone() {
        Some(anyone) => (anyone, None),
        None => {
            let user = session.actor().user();
            (session, user)
        }
    }
}

/// What a subscription says of each piece of tidings.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn tell(
    operations: &Operations,
    template: &Template,
    session: &Session,
    tidings: Vec<Tidings>,
) -> Result<Vec<Said>> {
    let tidings: Arc<[Tidings]> = tidings.into();
    let mut responses = execute(operations, template, session, &tidings).await;
    if responses.iter().any(is_broken) {
        // What the database cannot answer now is told later; what is wrong with the data stays wrong.
        operations.app().store.ping().await?;
        responses = execute(operations, template, session, &tidings).await;
    }
    // A failure of the field itself is one answer for all of them.
    let first = responses.first().map(Said::of).ok_or_else(|| Error::internal("nothing was said"))?;
    let mut said: Vec<Said> = responses.iter().map(Said::of).collect();
    said.resize(tidings.len(), first);
    Ok(said)
}

async fn execute(
    operations: &Operations,
    template: &Template,
    session: &Session,
    tidings: &Arc<[Tidings]>,
) -> Vec<Response> {
    let request = template.request().data(session.clone()).data(Stage::Tell(tidings.clone()));
    let responses = operations.schema().execute_stream(request).map(coded).collect();
    let caught = AssertUnwindSafe(responses).catch_unwind().await;
    caught.unwrap_or_else(|_| vec![broken("a subscription panicked")])
}

fn is_broken(response: &Response) -> bool {
    first_code(response) == Some("INTERNAL")
}
