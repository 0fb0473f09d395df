//! The tokens of machines, made as their owners make them: of each provider one that works, and one that an
//! administrator made and the owner revoked.

use domain::{
    id::{OrganizationId, UserId},
    role::Role,
};
use serde_json::{Value, json};

use super::{
    expectation::Kind,
    world::{Marker, Owner, Provider, Viewer, World, marker},
};
use crate::harness::{App, Client};

/// A service token, as the test had it made.
#[derive(Clone, Debug)]
pub struct Machine {
    pub id: String,
    /// The account that acts with it.
    pub account: UserId,
    pub provider: OrganizationId,
    pub made_by: UserId,
    pub revoked: bool,
}

const CREATE: &str = "mutation($input: ServiceTokenCreateInput!) { serviceTokenCreate(input: $input) { \
    token serviceToken { id } errors { code message } } }";
const REVOKE: &str = "mutation($input: ServiceTokenRevokeInput!) { serviceTokenRevoke(input: $input) { \
    errors { code message } } }";

impl World {
    /// Makes the machines; those that work look at the world as everybody does.
    pub async fn make_machines(&mut self, app: &App) {
        let admin = self.viewer("admin").user;
        let names = [["machineP", "spareP"], ["machineQ", "spareQ"]];
        for (provider, [name, spare]) in self.providers.into_iter().zip(names) {
            let text = self.make_machine(app, name, provider, provider.owner).await;
            let machine = self.machines.last().expect("a machine");
            self.viewers.push(Viewer {
                name,
                role: Role::Worker,
                user: machine.account,
                organization: provider.organization,
                offerings: vec![provider.server],
                client: Client::new(&app.url, Some(text)),
            });
            self.make_machine(app, spare, provider, admin).await;
            let machine = self.machines.last_mut().expect("a machine");
            machine.revoked = true;
            let input = json!({ "serviceToken": machine.id });
            let data = self.client(provider.owner).data(REVOKE, json!({ "input": input })).await;
            assert_eq!(data["serviceTokenRevoke"]["errors"], json!([]), "{data}");
        }
    }

    /// Makes one; its text.
    async fn make_machine(&mut self, app: &App, of: &str, provider: Provider, by: UserId) -> String {
        let name = marker(of, Kind::UserName, self.markers.len());
        let input = json!({
            "name": name,
            "organization": provider.organization.to_string(),
            "offerings": [provider.server.to_string()],
            "actions": ["validate"],
            "expiresAt": "2030-01-01T00:00:00.000Z",
        });
        // One of the next is older than the next but one: lists are by age.
        app.world.advance(chrono::TimeDelta::milliseconds(1));
        let data = self.client(by).data(CREATE, json!({ "input": input })).await;
        let made = &data["serviceTokenCreate"];
        let told = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{data}")).to_owned();
        let (id, text) = (told(&made["serviceToken"]["id"]), told(&made["token"]));
        let account: UserId = id.replacen("token_", "user_", 1).parse().expect("an account");
        let token = Owner::Token(self.machines.len());
        for (text, kind, owner) in [
            (name, Kind::UserName, Owner::User(account)),
            (format!("service-{}", account.0), Kind::UserEmail, Owner::User(account)),
            (id.clone(), Kind::TokenId, token),
            (text.clone(), Kind::Secret, token),
        ] {
            self.markers.push(Marker { text, kind, owner });
        }
        let provider = provider.organization;
        self.machines.push(Machine { id, account, provider, made_by: by, revoked: false });
        text
    }

    /// The account of the machine that works for a provider.
    pub fn machine_of(&self, provider: OrganizationId) -> UserId {
        let mut working = self.machines.iter().filter(|it| it.provider == provider && !it.revoked);
        working.next().expect("a machine").account
    }
}
