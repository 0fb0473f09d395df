//! Refusals that take a situation of their own: each expected error once, and what it tells.

use ordo::{app::World as _, store::workflow::ship};
use serde_json::{Value, json};

use super::{Operation, Proof, tree::Branch, world::World};
use crate::{attempt, harness::Client, resource_held, subjects::newer};

impl Proof {
    /// Brings about every expected error.
    pub async fn provoke(&mut self) {
        self.provoke_accounts().await;
        self.provoke_workflows().await;
        let company = self.app.company.clone();
        let line = |id: domain::id::ProductId| json!({ "product": id.to_string() });
        let create = |lines: Value, more: Value| {
            let mut input = json!({ "customer": { "id": company.customer.to_string() }, "lines": lines });
            input.as_object_mut().expect("an input").extend(more.as_object().expect("fields").clone());
            input
        };
        let (server, rival) = (line(company.server.id), line(company.rival_server.id));
        let mixed = create(json!([server, rival]), json!({}));
        self.refuse("orderCreate", mixed, "MIXED_ORDER").await;
        let named = create(json!([server]), json!({ "externalReference": "PO-twice" }));
        self.app.place_input(&self.app.staff(), named.clone()).await;
        self.refuse("orderCreate", named, "DUPLICATE_REFERENCE").await;
        let keyed =
            |note: &str| create(json!([server]), json!({ "idempotencyKey": "twice", "customerNote": note }));
        self.app.place_input(&self.app.staff(), keyed("one")).await;
        self.refuse("orderCreate", keyed("two"), "IDEMPOTENCY_MISMATCH").await;
        self.refuse("orderCreate", create(json!([]), json!({})), "VALIDATION").await;
        let draft = self.stand("draft").await;
        self.refuse("orderTransition", json!({ "order": draft, "action": "ship" }), "ILLEGAL_TRANSITION")
            .await;
        let failed = self.stand("failed").await;
        let unsaid = json!({ "order": failed, "action": "cancel_failed" });
        self.refuse("orderTransition", unsaid, "MISSING_REASON").await;
        let parcel = self.app.place(&self.app.staff(), &company.parcel, 1).await;
        self.refuse("orderDispatch", json!({ "order": parcel }), "GUARD_FAILED").await;
        self.provoke_attempts().await;
        self.provoke_jobs().await;
        self.provoke_busy().await;
        let old = json!({ "order": draft, "expectedVersion": 99 });
        self.refuse("orderSubmit", old, "VERSION_CONFLICT").await;
        let nobody = World::missing(&self.app, &draft);
        self.refuse("orderSubmit", json!({ "order": nobody }), "NOT_FOUND").await;
        // The customer may not say that it is paid, but may cancel.
        let consumer = self.world.viewer("consumerA").client.clone();
        let due = self.world.orders.iter().find(|order| order.name == "A11").expect("an order").id.clone();
        let paid = json!({ "order": due });
        self.refuse_to(("consumerA", &consumer), "orderConfirmPayment", paid, "NOT_PERMITTED").await;
    }

    /// What is wrong about attempts.
    async fn provoke_attempts(&mut self) {
        let worker = self.app.worker();
        let order = self.stand("provisioning").await;
        let mut held = attempt::hold(&attempt::claim(&worker, &order, json!({})).await);
        let again = json!({ "order": order });
        self.refuse_to(("worker", &worker), "attemptClaim", again, "ATTEMPT_CLAIMED").await;
        held["fence"] = json!(99);
        self.refuse_to(("worker", &worker), "attemptRenew", held, "LEASE_LOST").await;
    }

    /// What is wrong about workflows.
    async fn provoke_workflows(&mut self) {
        let admin = self.world.viewer("admin").client.clone();
        let unreadable = json!({ "definition": "code = = 1" });
        self.refuse_to(("admin", &admin), "workflowSave", unreadable, "INVALID_DEFINITION").await;
        let stale = json!({ "workflow": "delivery", "code": "failed", "expectedRevision": 99 });
        self.refuse_to(("admin", &admin), "workflowRetireStatus", stale, "WORKFLOW_CONFLICT").await;
        let nowhere = json!({ "workflow": "nowhere", "code": "failed" });
        self.refuse_to(("admin", &admin), "workflowRetireStatus", nowhere, "NOT_FOUND").await;
        let unknown = json!({ "workflow": "delivery", "code": "nowhere" });
        self.refuse_to(("admin", &admin), "workflowRetireStatus", unknown, "VALIDATION").await;
    }

    /// What is wrong about jobs; from here on there is another version to which orders can be moved.
    async fn provoke_jobs(&mut self) {
        let admin = self.world.viewer("admin").client.clone();
        let who = ("admin", &admin);
        let ended = self.world.jobs.last().expect("a job").id.clone();
        let missing = World::missing(&self.app, &ended);
        self.refuse_to(who, "jobCancel", json!({ "job": ended }), "JOB_ENDED").await;
        self.refuse_to(who, "jobCancel", json!({ "job": missing }), "NOT_FOUND").await;
        let (noted, now) = (self.app.world.mint().id(), self.app.world.now());
        ship(&self.app.inner.store, newer(), noted, now).await.expect("shipped");
        let same = json!({ "workflow": "cloud", "fromVersion": 2, "toVersion": 2, "mapping": [] });
        self.refuse_to(who, "workflowMigrateOrders", same, "VALIDATION").await;
        let unknown = json!({ "workflow": "no_such", "fromVersion": 1, "toVersion": 2, "mapping": [] });
        self.refuse_to(who, "workflowMigrateOrders", unknown, "NOT_FOUND").await;
    }

    /// Two orders for one resource.
    async fn provoke_busy(&mut self) {
        let terminate = resource_held::terminate(&self.app).await;
        self.app.place_input(&self.app.staff(), terminate.clone()).await;
        self.refuse("orderCreate", terminate, "RESOURCE_BUSY").await;
    }

    /// What is wrong about accounts and tokens.
    async fn provoke_accounts(&mut self) {
        let admin = self.world.viewer("admin").client.clone();
        let owner = self.world.providers[0].owner;
        let (name, owner) = ("ownerP", self.world.client(owner).clone());
        let token = World::missing(&self.app, &self.world.machines[0].id);
        let user = token.replacen("token_", "user_", 1);
        let organization = self.world.providers[1].organization.to_string();
        let rival = json!({ "name": "rival", "organization": organization, "actions": [] });
        let user = json!({ "user": user });
        self.refuse_to(("admin", &admin), "passwordResetToken", user, "NOT_FOUND").await;
        self.refuse_to((name, &owner), "serviceTokenCreate", rival, "NOT_FOUND").await;
        let token = json!({ "serviceToken": token });
        self.refuse_to((name, &owner), "serviceTokenRevoke", token, "NOT_FOUND").await;
    }

    /// Staff is refused, and reads all of why.
    async fn refuse(&mut self, field: &str, input: Value, code: &str) {
        let client = self.app.staff();
        self.refuse_to(("staff", &client), field, input, code).await;
    }

    pub(super) async fn refuse_to(
        &mut self,
        who: (&'static str, &Client),
        field: &str,
        input: Value,
        code: &str,
    ) {
        let root = self.sdl.roots("Mutation").iter().find(|root| root.name == field).cloned();
        let root = root.unwrap_or_else(|| panic!("no mutation {field}"));
        let branch = Branch::full(&self.sdl, "Mutation", &root, 3).asking("(input: $input)".to_owned(), None);
        for part in branch.parts() {
            let head = format!("mutation($input: {})", root.arguments[0].ty.text);
            let variables = json!({ "input": input });
            let operation = Operation { branch: part, head, variables, fills: [].into() };
            let body = self.ask(who, &operation).await;
            if let Some(told) = body["data"][field]["errors"].as_array() {
                assert_eq!(told.len(), 1, "{body}");
                assert_eq!(told[0]["code"], code, "{body}");
            }
        }
    }
}
