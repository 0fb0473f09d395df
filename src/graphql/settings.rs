//! The operator's settings, and who changed them.

use std::sync::Arc;

use async_graphql::{
    Context, InputObject, Object, SimpleObject,
    connection::{Connection, EmptyFields},
};
use domain::permission;

use super::{
    account::AccountError,
    failure::{Failure, Result},
    paging::{Args, Cursor, cost, uncursor},
    people::User,
    scalar::DateTime,
    siblings::Siblings,
    viewer::session,
};
use crate::{
    app::App,
    store::{
        people,
        settings::{self, Change, Stretch},
    },
    usecase::settings::{Wanted, save},
};

type History = Connection<Cursor<i64>, SettingsChange, EmptyFields, EmptyFields>;

/// What an administrator decides for the whole installation.
#[derive(Clone, Debug)]
pub struct Settings(settings::Settings);

/// What an administrator decides for the whole installation.
#[Object]
impl Settings {
    /// Whether orders expire by themselves: past their `expiresOn`, or when their status has run out. Off until
    /// switched on.
    async fn expiry_enabled(&self) -> bool {
        self.0.expiry_enabled
    }

    /// The version of the server.
    async fn server_version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Who changed them, the newest change first; for administrators, null for everybody else.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<History>> {
        match session(ctx) {
            Ok(session) if !permission::may_set(session.actor()) => None,
            Ok(_) => Some(changes(ctx, &Args { first, after, last, before }).await),
            Err(error) => Some(Err(error.into())),
        }
    }
}

async fn changes(ctx: &Context<'_>, args: &Args) -> Result<History> {
    let window = args.window(|text| uncursor(text)?.parse::<i64>().ok())?;
    let (after, before) = (window.after, window.before);
    let stretch = Stretch { after, before, from_end: window.from_end, limit: window.limit() };
    let changes = settings::history(&ctx.data_unchecked::<App>().store, stretch).await?;
    let people = Arc::new(Siblings::new(changes.iter().filter_map(|change| change.by).collect::<Vec<_>>()));
    Ok(window.connection(changes, EmptyFields, |change| {
        (change.version, SettingsChange { change, people: people.clone() })
    }))
}

/// A change of the settings.
#[derive(Clone, Debug)]
pub struct SettingsChange {
    change: Change,
    people: Arc<Siblings<people::User>>,
}

/// A change of the settings.
#[Object]
impl SettingsChange {
    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.change.at)
    }

    /// Who made it.
    async fn by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let found = self.people.get(&ctx.data_unchecked::<App>().store, self.change.by?).await;
        found.map(|user| user.map(User::from)).map_err(Failure::from).transpose()
    }

    /// As they were.
    async fn before(&self) -> SettingsValues {
        self.change.before.into()
    }

    /// As they became.
    async fn after(&self) -> SettingsValues {
        self.change.after.into()
    }
}

/// The settings as they were at some time.
#[derive(Clone, Debug, SimpleObject)]
pub struct SettingsValues {
    /// Whether orders expired by themselves.
    expiry_enabled: bool,
}

impl From<settings::Settings> for SettingsValues {
    fn from(settings::Settings { expiry_enabled }: settings::Settings) -> SettingsValues {
        SettingsValues { expiry_enabled }
    }
}

/// Reading the settings.
#[derive(Debug, Default)]
pub struct SettingsQuery;

#[Object]
impl SettingsQuery {
    /// The operator's settings.
    async fn settings(&self, ctx: &Context<'_>) -> Result<Settings> {
        session(ctx)?;
        Ok(Settings(settings::read(&ctx.data_unchecked::<App>().store).await?))
    }
}

/// Changes settings of the installation; what is not named stays.
#[derive(Clone, Debug, InputObject)]
pub struct SettingsSaveInput {
    /// Whether orders expire by themselves.
    pub expiry_enabled: Option<bool>,
}

/// What came of a change of the settings.
#[derive(Clone, Debug, SimpleObject)]
pub struct SettingsSavePayload {
    /// The settings as they are now; null when the mutation was refused.
    settings: Option<Settings>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Changing the settings.
#[derive(Debug, Default)]
pub struct SettingsMutation;

#[Object]
impl SettingsMutation {
    /// Changes settings of the installation; for administrators. What changed, and by whom, is kept.
    async fn settings_save(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: SettingsSaveInput,
    ) -> Result<SettingsSavePayload> {
        let SettingsSaveInput { expiry_enabled } = input;
        let saved = save(ctx.data_unchecked(), session(ctx)?.actor(), Wanted { expiry_enabled }).await;
        let (settings, errors) = AccountError::split(saved)?;
        Ok(SettingsSavePayload { settings: settings.map(Settings), errors })
    }
}
