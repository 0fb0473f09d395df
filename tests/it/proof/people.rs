//! Looking after people, on an organisation of its own, so that everybody else stays what they are: carried out by
//! an administrator, and read again.

use std::collections::BTreeSet;

use domain::id::OrganizationId;
use serde_json::{Value, json};

use super::{
    Operation, Proof,
    expectation::Kind,
    tree::Branch,
    world::{Marker, Owner, World, marker},
};
use crate::harness::Client;

/// An invitation, as the test had it made.
#[derive(Clone, Debug)]
pub struct Invited {
    pub id: String,
    pub organization: OrganizationId,
}

const INVITE: &str = "mutation($input: InvitationCreateInput!) { invitationCreate(input: $input) { token \
    invitation { id } errors { code message } } }";

const EMAIL: &str = "proof-of-people@example.test";

impl World {
    /// Each provider's owner invites some people.
    pub async fn invite(&mut self) {
        // More than a page of the proof holds.
        for provider in self.providers.repeat(3) {
            // Addresses are kept in lower case.
            let name = marker("invited", Kind::Invited, self.markers.len()).to_lowercase();
            let organization = provider.organization;
            let input = json!({ "organization": organization.to_string(), "role": "MANAGER",
                "offerings": [provider.server.to_string()], "email": format!("{name}@example.test") });
            let data = self.client(provider.owner).data(INVITE, json!({ "input": input })).await;
            let made = &data["invitationCreate"];
            let told = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{data}")).to_owned();
            let owner = Owner::Organization(organization);
            self.markers.push(Marker { text: name, kind: Kind::Invited, owner });
            self.markers.push(Marker { text: told(&made["token"]), kind: Kind::Secret, owner });
            self.invitations.push(Invited { id: told(&made["invitation"]["id"]), organization });
        }
    }
}

impl Proof {
    /// Founds an organisation, takes people in and out, and erases one; the fields that were carried out.
    pub async fn look_after_people(&mut self) -> BTreeSet<String> {
        let (client, nobody) = (self.world.viewer("admin").client.clone(), self.app.anonymous());
        let (admin, out) = (("admin", &client), ("anonymous", &nobody));
        let new = json!({ "kind": "COMPANY", "name": "Proof and Sons", "email": "office@example.test",
            "timeZone": "Europe/Berlin" });
        let there = self.carry(admin, "organizationSave", new).await["organization"]["id"].clone();
        let account = json!({ "email": EMAIL, "name": "Proof" });
        let user = self.carry(admin, "userSave", account).await["account"]["user"]["id"].clone();
        let seat = |user: &Value, role: &str| json!({ "user": user, "organization": there, "role": role });
        let place = |user: &Value| json!({ "user": user, "organization": there });
        self.carry(admin, "membershipSet", seat(&user, "APPROVER")).await;
        self.refuse_to(admin, "membershipRemove", place(&user), "LAST_OWNER").await;
        let invitation = |email: &str| json!({ "organization": there, "role": "CONSUMER", "email": email });
        let made = self.carry(admin, "invitationCreate", invitation("son@example.test")).await;
        let join = json!({ "token": made["token"], "name": "Son", "password": "correct horse battery" });
        let joined = self.carry(out, "invitationAccept", join).await["account"]["user"]["id"].clone();
        let made = self.carry(admin, "invitationCreate", invitation("none@example.test")).await;
        self.carry(admin, "invitationRevoke", json!({ "invitation": made["invitation"]["id"] })).await;
        self.carry(admin, "membershipSet", seat(&joined, "APPROVER")).await;
        self.carry(admin, "membershipRemove", place(&user)).await;
        self.carry(admin, "userSave", json!({ "user": user, "disabled": true })).await;
        self.carry(admin, "userErase", json!({ "user": user, "confirm": EMAIL })).await;
        self.keep_the_last_administrator().await;
        for field in ["users", "invitations", "rightsChanges"] {
            self.read_all(admin, field).await;
        }
        ["organizationSave", "userSave", "userErase", "membershipSet", "membershipRemove"]
            .into_iter()
            .chain(["invitationCreate", "invitationAccept", "invitationRevoke"])
            .map(str::to_owned)
            .collect()
    }

    async fn keep_the_last_administrator(&mut self) {
        let (client, own) = (self.world.viewer("admin").client.clone(), self.world.viewer("admin").user);
        let (admin, operator) = (("admin", &client), self.app.company.operator.to_string());
        let other = self.app.company.admin.id.to_string();
        let place = |user: &str| json!({ "user": user, "organization": operator });
        self.carry(admin, "membershipRemove", place(&other)).await;
        self.refuse_to(admin, "membershipRemove", place(&own.to_string()), "LAST_ADMIN").await;
        let mut back = place(&other);
        back["role"] = json!("ADMIN");
        self.carry(admin, "membershipSet", back).await;
    }

    async fn read_all(&mut self, who: (&'static str, &Client), field: &str) {
        let root = self.sdl.roots("Query").iter().find(|root| root.name == field).cloned();
        let root = root.unwrap_or_else(|| panic!("no query {field}"));
        let branch = Branch::full(&self.sdl, "Query", &root, 6).asking("(last: 100)".to_owned(), Some(100));
        for branch in branch.parts() {
            let head = "query".to_owned();
            let operation = Operation { branch, head, variables: json!({}), fills: [].into() };
            self.ask(who, &operation).await;
        }
    }
}
