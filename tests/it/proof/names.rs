//! What everybody can name: things of their own, things out of reach, things that do not exist.

use std::collections::BTreeMap;

use domain::role::Role;
use serde_json::{Value, json};

use super::{
    Proof,
    expectation::{Kind, knows_everybody, looks_after, owns, relation, sees_job},
    judge::is_id,
    value::Names,
    world::{Marker, Owner, Viewer, World},
};

/// All that can be named about an order.
const NAMED: &str = "query($id: ID!) { order(by: { id: $id }) { id number externalReference customer { id } \
    provider { id } csr { id } deliveryAgent { id } items { nodes { id product { id } resource { id } } } \
    payments { id } refunds { id } invoice { id number } attempts { nodes { id } } \
    notes { id audience } scheduled { id } } }";

impl Proof {
    /// Ids and numbers are markers too, and the names that filters and inputs take.
    pub async fn learn_names(&mut self) -> Vec<BTreeMap<String, String>> {
        let admin = self.world.viewer("admin").client.clone();
        let mut all = Vec::new();
        for order in 0..self.world.orders.len() {
            let id = self.world.orders[order].id.clone();
            let told = admin.data(NAMED, json!({ "id": id })).await["order"].clone();
            mark_ids(&mut self.world, order, &told);
            let mut names = BTreeMap::new();
            for (what, at) in [
                ("order", "/id"),
                ("number", "/number"),
                ("reference", "/externalReference"),
                ("customer", "/customer/id"),
                ("provider", "/provider/id"),
                ("csr", "/csr/id"),
                ("agent", "/deliveryAgent/id"),
                ("product", "/items/nodes/0/product/id"),
                ("item", "/items/nodes/0/id"),
                ("resource", "/items/nodes/0/resource/id"),
                ("payment", "/payments/0/id"),
                ("attempt", "/attempts/nodes/0/id"),
                ("schedule", "/scheduled/0/id"),
            ] {
                let found = told.pointer(at).and_then(Value::as_str);
                names.extend(found.map(|found| (what.to_owned(), found.to_owned())));
            }
            all.push(names);
        }
        all
    }

    /// What a viewer can name; what it has come across by chance is not out of reach.
    pub fn names(&self, name: &str, orders: &[BTreeMap<String, String>]) -> Names {
        let viewer = self.world.viewers.iter().find(|viewer| viewer.name == name);
        let known = self.judge.ids(name);
        let everybody = viewer.is_some_and(knows_everybody);
        let mut names = Names::default();
        // The fullest orders come first, so that as much as possible is of one order.
        let mut by_weight: Vec<usize> = (0..orders.len()).collect();
        by_weight.sort_by_key(|order| std::cmp::Reverse(orders[*order].len()));
        for order in by_weight {
            let placed = &self.world.orders[order];
            let own = viewer.is_some_and(|viewer| relation(viewer, placed).is_some());
            for (what, found) in &orders[order] {
                let of_itself = everybody && (found.starts_with("user_") || found.starts_with("org_"));
                if own {
                    names.own.entry(what.clone()).or_insert_with(|| found.clone());
                } else if !known.contains(found) && !of_itself {
                    names.foreign.entry(what.clone()).or_insert_with(|| found.clone());
                }
            }
        }
        // Accounts that nobody told of, and products off the shelf.
        let users = self.world.viewers.iter().map(|it| (Owner::User(it.user), it.user.to_string()));
        let shelf = self.world.shelf.iter().enumerate();
        let products = shelf.map(|(at, product)| (Owner::Product(at), product.id.to_string()));
        for (owner, id) in users.chain(products).filter(|(owner, _)| self.is_hidden(viewer, *owner)) {
            let what: &[&str] =
                if matches!(owner, Owner::User(_)) { &["csr", "agent"] } else { &["product"] };
            for what in what {
                names.foreign.entry((*what).to_owned()).or_insert_with(|| id.clone());
            }
        }
        self.name_accounts(viewer, &mut names);
        for (what, found) in names.own.iter().chain(&names.foreign) {
            let missing = match what.as_str() {
                _ if is_id(found) => World::missing(&self.app, found),
                "number" => "1000000007".to_owned(),
                "email" => "nobody@example.test".to_owned(),
                _ => "no-such-reference".to_owned(),
            };
            names.missing.insert(what.clone(), missing);
        }
        for (what, prefix) in PREFIXES {
            let missing = World::missing(&self.app, &format!("{prefix}_{}", "0".repeat(26)));
            names.missing.entry(what.to_owned()).or_insert(missing);
        }
        names
    }
}

/// What can be named by an id, and how the id begins.
const PREFIXES: [(&str, &str); 17] = [
    ("order", "order"),
    ("customer", "org"),
    ("provider", "org"),
    ("employer", "org"),
    ("product", "product"),
    ("offering", "product"),
    ("csr", "user"),
    ("agent", "user"),
    ("account", "user"),
    ("serviceToken", "token"),
    ("invitation", "invitation"),
    ("job", "job"),
    ("attempt", "attempt"),
    ("item", "item"),
    ("payment", "payment"),
    ("resource", "resource"),
    ("schedule", "schedule"),
];

impl Proof {
    /// What the mutations about accounts take. Providers and offerings are known to everybody, and yet out
    /// of reach there.
    fn name_accounts(&self, viewer: Option<&Viewer>, names: &mut Names) {
        let Names { own, foreign, .. } = names;
        let admin = viewer.is_some_and(|viewer| viewer.role == Role::Admin);
        for machine in &self.world.machines {
            let mine = viewer.is_some_and(|viewer| looks_after(viewer, machine));
            // The one that was revoked may be revoked again.
            let side = if mine { &mut *own } else { &mut *foreign };
            if !mine || machine.revoked {
                side.entry("serviceToken".to_owned()).or_insert_with(|| machine.id.clone());
            }
        }
        for job in &self.world.jobs {
            let mine = viewer.is_some_and(|viewer| sees_job(viewer, job.owner));
            // The one that may be cancelled comes first.
            let side = if mine { &mut *own } else { &mut *foreign };
            side.entry("job".to_owned()).or_insert_with(|| job.id.clone());
        }
        for provider in self.world.providers {
            let owner = viewer.is_some_and(|viewer| viewer.user == provider.owner);
            let side = if admin || owner { &mut *own } else { &mut *foreign };
            side.entry("employer".to_owned()).or_insert_with(|| provider.organization.to_string());
            side.entry("offering".to_owned()).or_insert_with(|| provider.server.to_string());
        }
        for invited in &self.world.invitations {
            let mine = viewer.is_some_and(|viewer| owns(viewer, invited.organization));
            let side = if admin || mine { &mut *own } else { &mut *foreign };
            side.entry("invitation".to_owned()).or_insert_with(|| invited.id.clone());
        }
        // Machines have no password that could be set.
        let (guest, machine) = (&self.world.guests[0], &self.world.machines[0]);
        if admin {
            own.insert("account".to_owned(), guest.user.to_string());
        }
        let account = if admin { machine.account } else { guest.user };
        foreign.insert("account".to_owned(), account.to_string());
        foreign.insert("email".to_owned(), self.world.email_of(guest.user));
    }

    /// Whether nothing about something is for a viewer.
    fn is_hidden(&self, viewer: Option<&Viewer>, owner: Owner) -> bool {
        let mut about = self.world.markers.iter().filter(|marker| marker.owner == owner);
        !viewer.is_some_and(|viewer| about.any(|marker| self.world.finds(viewer, marker)))
    }
}

/// Ids of the parts of an order are for whoever sees the parts.
fn mark_ids(world: &mut World, order: usize, told: &Value) {
    let mut mark = |kind: Kind, value: &Value| {
        let known = |text: &str| world.markers.iter().any(|marker| marker.text == text);
        if let Some(text) = value.as_str().filter(|text| !known(text)) {
            world.markers.push(Marker { text: text.to_owned(), kind, owner: Owner::Order(order) });
        }
    };
    let each = |value: &Value| value.as_array().cloned().unwrap_or_default();
    mark(Kind::OrderName, &told["number"]);
    mark(Kind::Invoice, &told["invoice"]["id"]);
    mark(Kind::Invoice, &told["invoice"]["number"]);
    for item in each(&told["items"]["nodes"]) {
        mark(Kind::Line, &item["id"]);
        mark(Kind::Resource, &item["resource"]["id"]);
    }
    for part in each(&told["payments"]).iter().chain(&each(&told["refunds"])) {
        mark(Kind::Payment, &part["id"]);
    }
    for attempt in each(&told["attempts"]["nodes"]) {
        mark(Kind::Attempt, &attempt["id"]);
    }
    // Those that are made here are made inside.
    for schedule in each(&told["scheduled"]) {
        mark(Kind::InnerReason, &schedule["id"]);
    }
    for note in each(&told["notes"]) {
        let kind = match note["audience"].as_str() {
            Some("STAFF") => Kind::NoteToStaff,
            Some("PROVIDER") => Kind::NoteToProvider,
            _ => Kind::NoteToPublic,
        };
        mark(kind, &note["id"]);
    }
}
