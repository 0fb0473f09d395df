//! Making organisations, and changing what they are called.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{Organization, OrganizationKind};
use crate::{
    app::App,
    graphql::{account::AccountError, failure::Result, paging::parse_id, viewer::session},
    usecase::people::{OrganizationWanted, save_organization},
};

/// Makes or changes an organisation. What is not given stays as it is.
#[derive(Clone, Debug, InputObject)]
pub struct OrganizationSaveInput {
    /// Which; a new one if not given.
    pub organization: Option<ID>,
    /// What it is; for new ones, and for them alone.
    pub kind: Option<OrganizationKind>,
    /// Its name.
    pub name: Option<String>,
    /// Its e-mail address; an empty one for none.
    pub email: Option<String>,
    /// Its time zone, a name of the IANA database; UTC for new ones if not given.
    pub time_zone: Option<String>,
}

/// An organisation that was made or changed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrganizationSavePayload {
    /// The organisation; null when it was refused.
    organization: Option<Organization>,
    /// Why it was refused; empty on success.
    errors: Vec<AccountError>,
}

/// Making and changing organisations.
#[derive(Debug, Default)]
pub struct OrganizationMutation;

#[Object]
impl OrganizationMutation {
    /// Makes an organisation, for administrators; or changes one, for its owners too.
    async fn organization_save(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: OrganizationSaveInput,
    ) -> Result<OrganizationSavePayload> {
        let actor = session(ctx)?.actor();
        let OrganizationSaveInput { organization, kind, name, email, time_zone } = input;
        let wanted = OrganizationWanted {
            organization: organization.map(|id| parse_id(&id, "input.organization")).transpose()?,
            kind: kind.map(Into::into),
            name,
            email,
            time_zone,
        };
        let done = save_organization(ctx.data_unchecked::<App>(), actor, wanted).await;
        let (saved, errors) = AccountError::split(done)?;
        Ok(OrganizationSavePayload { organization: saved.map(Organization::from), errors })
    }
}
