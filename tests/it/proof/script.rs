//! How the orders of the two tenants come to be: every text that can be stored is a marker, and everybody
//! who does something leaves a link.

use domain::id::{OrderId, OrganizationId, ProductId, UserId};
use sea_orm::Value as Bound;
use serde_json::{Value, json};

use super::{
    expectation::Kind,
    world::{Link, Owner, Placed, World},
};
use crate::{harness::App, timers};

/// What is ordered, by whom, of whom.
#[derive(Clone, Copy, Debug)]
struct Plan {
    name: &'static str,
    by: UserId,
    customer: OrganizationId,
    provider: OrganizationId,
    product: ProductId,
}

/// The names of the orders of one tenant, in the order of [`World::write_quiet`] and
/// [`World::write_loud`].
const NAMES: [[&str; 12]; 2] = [
    ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12"],
    ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12"],
];

impl World {
    /// Orders that stand somewhere along their workflows; the barriers last.
    pub async fn write_quiet(&mut self, app: &App) {
        let staff = self.viewer("staff").user;
        for on in [true, false, true] {
            timers::switch(app, on).await;
        }
        for (side, names) in NAMES.into_iter().enumerate() {
            let (tenant, provider, other) =
                (self.tenants[side], self.providers[side], self.providers[1 - side]);
            let plan = |at: usize, by, of: super::world::Provider, product| Plan {
                name: names[at],
                by,
                customer: tenant.organization,
                provider: of.organization,
                product,
            };
            let gone = self.place(app, plan(2, tenant.consumer, other, other.server)).await;
            self.assign(app, gone, side).await;
            self.delete(app, gone).await;
            let dearer = self.place(app, plan(3, tenant.approver, provider, provider.server)).await;
            let fee = json!({ "deliveryFee": { "amount": "1.00", "currency": "EUR" } });
            self.write(app, dearer, staff, "orderUpdate", fee).await;
            self.deliver(app, plan(4, staff, provider, provider.parcel), side).await;
            self.fulfil(app, plan(5, tenant.consumer, provider, provider.server), side).await;
            let hosted = self.place(app, plan(6, tenant.approver, provider, provider.webspace)).await;
            self.give_back(app, hosted).await;
            let called_off = self.place(app, plan(7, tenant.consumer, other, other.server)).await;
            self.step(app, called_off, tenant.consumer, "submit", json!({})).await;
            self.step(app, called_off, tenant.consumer, "cancel", json!({})).await;
            let archived = self.place(app, plan(8, tenant.approver, provider, provider.pallet)).await;
            self.step(app, archived, provider.owner, "ship", json!({})).await;
            self.step(app, archived, staff, "close", json!({})).await;
            self.step(app, archived, staff, "archive", json!({})).await;
            self.orders[archived].archived = true;
            let parcel = self.place(app, plan(9, tenant.consumer, provider, provider.parcel)).await;
            self.schedule(app, parcel).await;
            let barrier = self.place(app, plan(10, tenant.consumer, provider, provider.server)).await;
            self.assign(app, barrier, side).await;
            let paid = self.place(app, plan(11, tenant.approver, provider, provider.webspace)).await;
            self.pay(app, paid, staff, "1.00", "CARD").await;
        }
    }

    /// The orders that are written while everybody listens.
    pub async fn write_loud(&mut self, app: &App) {
        for (side, names) in NAMES.into_iter().enumerate() {
            let (tenant, provider, other) =
                (self.tenants[side], self.providers[side], self.providers[1 - side]);
            let customer = tenant.organization;
            let failed = Plan {
                name: names[0],
                by: tenant.consumer,
                customer,
                provider: provider.organization,
                product: provider.server,
            };
            self.fail(app, failed, side).await;
            let rejected = Plan {
                name: names[1],
                by: tenant.approver,
                customer,
                provider: other.organization,
                product: other.allocation,
            };
            let order = self.place(app, rejected).await;
            self.step(app, order, tenant.approver, "approve", json!({})).await;
            let reason = self.mark_order(order, Kind::ReasonForTheCustomer);
            self.step(app, order, other.owner, "reject", json!({ "reason": reason })).await;
        }
    }

    /// The orders that are touched when everything is written, so that everybody hears of one at last.
    pub fn barriers(&self) -> Vec<usize> {
        let named = |name| self.orders.iter().position(|order| order.name == name).expect("an order");
        ["A10", "B10", "A11", "B11"].map(named).into()
    }

    /// Moves a barrier in everybody's sight.
    pub async fn touch(&mut self, app: &App, order: usize) {
        let (staff, creator) = (self.viewer("staff").user, self.orders[order].creator);
        match self.orders[order].name {
            "A10" | "B10" => self.step(app, order, staff, "process", json!({})).await,
            _ => self.step(app, order, creator, "submit", json!({})).await,
        }
    }

    async fn place(&mut self, app: &App, plan: Plan) -> usize {
        let Plan { name, by, customer, provider, product } = plan;
        let order = self.orders.len();
        let mut mark = |kind| self.mark(Owner::Order(order), kind, name);
        let mut address = |kind| {
            let mut mark = || mark(kind);
            json!({ "name": mark(), "lines": [mark(), mark()], "city": mark(), "postalCode": mark(),
                "region": mark(), "country": "DE" })
        };
        let (shipping, billing) = (address(Kind::ShippingAddress), address(Kind::BillingAddress));
        let lines = [mark(Kind::Line), mark(Kind::Line)].map(|host| {
            json!({ "product": product.to_string(), "quantity": 1, "configuration": { "host": host } })
        });
        let mut input = json!({
            "customer": { "id": customer.to_string() },
            "lines": lines,
            "contact": { "name": mark(Kind::Contact), "email": mark(Kind::Contact), "phone": mark(Kind::Contact) },
            "shippingAddress": shipping,
            "billingAddress": billing,
            "customerNote": mark(Kind::CustomerNote),
            "externalReference": mark(Kind::OrderName),
            "tags": [mark(Kind::Tag)],
            "metadata": { "crm": { "deep": [mark(Kind::Metadata)] } },
            "paymentMethod": "TRANSFER",
            "expiresOn": "2026-12-31",
        });
        let desk = self.viewer("staff").user == by;
        let agent = self.agents[usize::from(name.starts_with('B'))];
        if desk {
            input["deliveryAgent"] = agent.to_string().into();
            input["deliveryFee"] = json!({ "amount": "3.00", "currency": "EUR" });
            input["lines"][0]["discount"] = json!({ "amount": "2.00", "currency": "EUR" });
        }
        let id = app.place_input(self.client(by), input).await;
        self.markers.push(super::world::Marker {
            text: id.clone(),
            kind: Kind::OrderName,
            owner: Owner::Order(order),
        });
        let agent = desk.then_some(agent);
        self.orders.push(Placed {
            name,
            id,
            customer,
            provider,
            product,
            creator: by,
            csr: None,
            agent,
            deleted: false,
            archived: false,
        });
        self.link(order, by, Kind::Creator);
        agent.into_iter().for_each(|agent| self.link(order, agent, Kind::Assigned));
        let ip = self.mark_order(order, Kind::ClientIp);
        let id = self.key(order);
        app.execute("UPDATE orders SET client_ip = $1 WHERE id = $2", [ip.into(), id]).await;
        order
    }

    /// Gives an order to a side's representative and delivery agent.
    async fn assign(&mut self, app: &App, order: usize, side: usize) {
        let staff = self.viewer("staff").user;
        let (csr, agent) = (self.csrs[side], self.agents[side]);
        self.write(app, order, staff, "orderAssignCsr", json!({ "csr": csr.to_string() })).await;
        self.write(app, order, staff, "orderAssignAgent", json!({ "agent": agent.to_string() })).await;
        (self.orders[order].csr, self.orders[order].agent) = (Some(csr), Some(agent));
        for user in [csr, agent] {
            self.link(order, user, Kind::Assigned);
        }
        self.link(order, staff, Kind::AssignedEvent);
    }

    async fn fail(&mut self, app: &App, plan: Plan, side: usize) {
        let (staff, support) = (self.viewer("staff").user, self.viewer("support").user);
        let (provider, by) = (self.providers[side], plan.by);
        let order = self.place(app, plan).await;
        self.assign(app, order, side).await;
        self.step(app, order, by, "submit", json!({})).await;
        self.pay(app, order, staff, "47.60", "TRANSFER").await;
        let reason = self.mark_order(order, Kind::RefundReason);
        let amount = json!({ "amount": "1.00", "currency": "EUR" });
        self.write(app, order, staff, "orderRefund", json!({ "amount": amount, "reason": reason })).await;
        self.link(order, staff, Kind::Cashier);
        self.note(app, order, support, "STAFF").await;
        self.note(app, order, provider.owner, "PROVIDER").await;
        self.note(app, order, self.csrs[side], "PUBLIC").await;
        let reason = self.mark_order(order, Kind::InnerReason);
        self.step(app, order, provider.worker, "validate", json!({ "reason": reason })).await;
        let reason = self.mark_order(order, Kind::InnerReason);
        self.step(app, order, provider.manager, "provision", json!({ "reason": reason })).await;
        self.name_resource(app, order).await;
        let (message, traceback) =
            (self.mark_order(order, Kind::ErrorMessage), self.mark_order(order, Kind::Traceback));
        let error = json!({ "category": "CAPACITY", "message": message, "traceback": traceback });
        self.step(app, order, provider.worker, "fail", json!({ "error": error })).await;
    }

    async fn fulfil(&mut self, app: &App, plan: Plan, side: usize) {
        let (provider, by) = (self.providers[side], plan.by);
        let staff = self.viewer("staff").user;
        let order = self.place(app, plan).await;
        self.assign(app, order, side).await;
        self.step(app, order, by, "submit", json!({})).await;
        self.pay(app, order, staff, "47.60", "POS").await;
        let machine = self.machine_of(provider.organization);
        self.step(app, order, machine, "validate", json!({})).await;
        self.step(app, order, provider.worker, "provision", json!({})).await;
        self.name_resource(app, order).await;
        self.step(app, order, provider.owner, "fulfill", json!({})).await;
    }

    async fn deliver(&mut self, app: &App, plan: Plan, side: usize) {
        let (staff, agent) = (plan.by, self.agents[side]);
        let order = self.place(app, plan).await;
        self.step(app, order, staff, "process", json!({})).await;
        self.step(app, order, agent, "dispatch", json!({})).await;
        self.step(app, order, agent, "deliver", json!({})).await;
        self.pay(app, order, agent, "5.00", "CASH").await;
    }

    /// Accepted, paid, and cancelled with the money going back.
    async fn give_back(&mut self, app: &App, order: usize) {
        let (staff, admin) = (self.viewer("staff").user, self.viewer("admin").user);
        self.step(app, order, staff, "accept", json!({})).await;
        self.pay(app, order, staff, "47.60", "CARD").await;
        let reason = self.mark_order(order, Kind::RefundReason);
        self.step(app, order, admin, "cancel_and_refund", json!({ "reason": reason })).await;
        self.link(order, admin, Kind::Cashier);
    }

    async fn pay(&mut self, app: &App, order: usize, by: UserId, amount: &str, method: &str) {
        let (reference, gateway) =
            (self.mark_order(order, Kind::Payment), self.mark_order(order, Kind::Payment));
        let amount = json!({ "amount": amount, "currency": "EUR" });
        let input = json!({ "amount": amount, "method": method, "reference": reference });
        self.write(app, order, by, "orderRecordPayment", input).await;
        self.link(order, by, Kind::Cashier);
        let id = self.key(order);
        app.execute("UPDATE payments SET gateway = $1 WHERE order_id = $2", [gateway.into(), id]).await;
    }

    async fn note(&mut self, app: &App, order: usize, by: UserId, audience: &str) {
        let (note, author) = match audience {
            "STAFF" => (Kind::NoteToStaff, Kind::StaffNoteAuthor),
            "PROVIDER" => (Kind::NoteToProvider, Kind::ProviderNoteAuthor),
            _ => (Kind::NoteToPublic, Kind::PublicNoteAuthor),
        };
        let body = self.mark_order(order, note);
        self.write(app, order, by, "orderAddNote", json!({ "body": body, "audience": audience })).await;
        self.link(order, by, author);
    }

    /// One action was called off, one was not possible at its time, and one waits.
    async fn schedule(&mut self, app: &App, order: usize) {
        let by = self.viewer("staff").user;
        let soon = (ordo::app::World::now(&*app.world) + chrono::TimeDelta::seconds(1)).to_rfc3339();
        let (called_off, waiting) = ("2026-12-01T08:00:00Z", "2026-12-02T08:00:00Z");
        for (action, at) in [("dispatch", called_off), ("dispatch", &soon), ("set_status", waiting)] {
            let reason = self.mark_order(order, Kind::InnerReason);
            let mut input = json!({ "action": action, "at": at, "reason": reason });
            if action == "set_status" {
                input["to"] = json!("processing");
            }
            self.write(app, order, by, "orderSchedule", input).await;
            self.link(order, by, Kind::InnerStep);
            if at == called_off {
                let query = "query($id: ID!) { order(by: { id: $id }) { scheduled { id } } }";
                let read = self.client(by).data(query, json!({ "id": self.orders[order].id })).await;
                let schedule = json!({ "schedule": read["order"]["scheduled"][0]["id"] });
                self.write(app, order, by, "orderUnschedule", schedule).await;
            }
        }
        app.world.advance(chrono::TimeDelta::seconds(1));
        let fired = ordo::usecase::order::fire_timers(&app.inner).await.expect("a sweep");
        assert_eq!(fired, 1, "nobody delivers it: it cannot be sent out");
    }

    async fn step(&mut self, app: &App, order: usize, by: UserId, action: &str, extra: Value) {
        app.act(self.client(by), &self.orders[order].id, action, extra).await;
        // Buyers are told of one "processing", however many machines are at work.
        let inner = matches!(action, "provision" | "archive");
        self.link(order, by, if inner { Kind::InnerStep } else { Kind::PublicStep });
    }

    async fn write(&self, _: &App, order: usize, by: UserId, field: &str, mut input: Value) {
        let (head, tail) = field.split_at(1);
        let document = format!(
            "mutation($input: {}{tail}Input!) {{ {field}(input: $input) {{ errors {{ code message }} }} }}",
            head.to_uppercase()
        );
        input["order"] = self.orders[order].id.as_str().into();
        let data = self.client(by).data(&document, json!({ "input": input })).await;
        assert_eq!(data[field]["errors"], json!([]), "{field} {}: {data}", self.orders[order].name);
    }

    async fn name_resource(&mut self, app: &App, order: usize) {
        let [name, backend] =
            [self.mark_order(order, Kind::Resource), self.mark_order(order, Kind::Resource)];
        let sql = "UPDATE resources SET name = $1, backend_id = $2 WHERE id IN \
            (SELECT resource_id FROM order_items WHERE order_id = $3)";
        let touched = app.execute(sql, [name.into(), backend.into(), self.key(order)]).await;
        assert_eq!(touched, 2, "a resource for each line");
    }

    async fn delete(&mut self, app: &App, order: usize) {
        self.orders[order].deleted = true;
        let staff = self.viewer("staff").user;
        self.write(app, order, staff, "orderDelete", json!({})).await;
    }

    fn key(&self, order: usize) -> Bound {
        let id: OrderId = self.orders[order].id.parse().expect("an order id");
        Bound::Uuid(Some(id.0))
    }

    fn mark_order(&mut self, order: usize, kind: Kind) -> String {
        self.mark(Owner::Order(order), kind, self.orders[order].name)
    }

    fn link(&mut self, order: usize, user: UserId, kind: Kind) {
        self.links.push(Link { order, user, kind });
    }
}
