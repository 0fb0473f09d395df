//! Lists of orders against the same lists computed in plain Rust: whoever looks, however sorted,
//! narrowed and paged.

use std::{cmp::Ordering, collections::BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Membership, standing},
    id::{OrganizationId, UserId},
    order::{Filter, Head},
    role::Role,
    workflow::Category,
};
use ordo::app::World;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};

use crate::harness::{Account, App, Client};

const PAGE: &str = "query($where: OrderWhereInput, $orderBy: OrderOrder, $first: Int, $after: String, \
    $last: Int, $before: String) { orders(where: $where, orderBy: $orderBy, first: $first, after: $after, \
    last: $last, before: $before) { nodes { id } \
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

const FIELDS: [&str; 3] = ["CREATED_AT", "STATUS_CHANGED_AT", "TOTAL"];

/// A list, as asked for.
#[derive(Clone, Debug)]
struct Asked {
    filter: Filter,
    field: &'static str,
    descending: bool,
}

impl Asked {
    fn variables(&self) -> Map<String, Value> {
        let direction = if self.descending { "DESC" } else { "ASC" };
        let order_by = json!({ "field": self.field, "direction": direction });
        Map::from_iter([("where".into(), conditions(&self.filter)), ("orderBy".into(), order_by)])
    }

    fn compare(&self, a: &Head, b: &Head) -> Ordering {
        let key = match self.field {
            "CREATED_AT" => Ordering::Equal,
            "STATUS_CHANGED_AT" => a.status_changed_at.cmp(&b.status_changed_at),
            _ => a.total.cmp(&b.total),
        };
        let ascending = key.then(a.id.cmp(&b.id));
        if self.descending { ascending.reverse() } else { ascending }
    }
}

/// Everybody whose list differs, also those who hold two memberships and see an order twice over.
pub async fn viewers(app: &App) -> Vec<(&'static str, Account)> {
    let company = &app.company;
    let member = |organization, role| Membership { organization, role, offerings: Vec::new() };
    let manager = Membership {
        offerings: vec![company.server.id, company.parcel.id],
        ..member(company.provider_org, Role::Manager)
    };
    let customer = |role| member(company.customer, role);
    let operator = |role| member(company.operator, role);
    vec![
        ("staff", company.staff),
        ("support", company.support),
        ("csr", company.csr),
        ("agent", company.agent),
        ("provider", company.provider),
        ("manager", company.manager),
        ("worker", company.worker),
        ("approver", company.approver),
        ("consumer", company.consumer),
        ("stranger", company.stranger),
        ("rival", company.rival),
        ("buyer and rival", {
            let memberships = vec![customer(Role::Approver), member(company.rival_org, Role::Provider)];
            app.enrol("buyer-rival", memberships).await
        }),
        ("buyer and manager", {
            let memberships = vec![customer(Role::Approver), manager, operator(Role::Agent)];
            app.enrol("buyer-manager", memberships).await
        }),
        ("buyer and csr", {
            let memberships = vec![customer(Role::Consumer), operator(Role::Csr)];
            app.enrol("buyer-csr", memberships).await
        }),
        ("buyer and staff", {
            let memberships = vec![customer(Role::Approver), operator(Role::Staff)];
            app.enrol("buyer-staff", memberships).await
        }),
        ("nobody's member", app.enrol("member-of-nothing", Vec::new()).await),
    ]
}

async fn actor(app: &App, account: Account) -> Actor {
    ordo::usecase::session::actor(&app.inner, &ordo::usecase::session::Credentials::of(account.id, None))
        .await
        .expect("an actor")
}

/// The list, without any database.
fn oracle(app: &App, actor: &Actor, asked: &Asked, crowd: &[Head]) -> Vec<String> {
    let (grants, filter) = (actor.grants(), &asked.filter);
    let within = |at: DateTime<Utc>, from: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>| {
        from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
    };
    let mut list: Vec<&Head> = crowd
        .iter()
        .filter(|head| {
            let standing = standing(&grants, actor.user(), &head.parties, head.deleted_at.is_some());
            let workflow = app.inner.book.newest(&head.workflow).expect("a workflow");
            !standing.is_empty()
                && filter.matches(&head.facet(&workflow), standing)
                && within(head.created_at, filter.created_from, filter.created_until)
                && within(head.status_changed_at, filter.changed_from, filter.changed_until)
        })
        .collect();
    list.sort_by(|a, b| asked.compare(a, b));
    list.iter().map(|head| head.id.to_string()).collect()
}

fn conditions(filter: &Filter) -> Value {
    fn among<T: ToString>(ids: &Option<Vec<T>>) -> Value {
        ids.as_ref().map_or(
            Value::Null,
            |ids| json!({ "in": ids.iter().map(ToString::to_string).collect::<Vec<_>>() }),
        )
    }
    let stretch = |from: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>| match (from, until) {
        (None, None) => Value::Null,
        (from, until) => json!({ "gte": from, "lt": until }),
    };
    let category = filter.category.as_ref().map(|c| c.iter().map(|c| c.name()).collect::<Vec<_>>());
    json!({
        "workflow": among(&filter.workflow),
        "status": among(&filter.status),
        "category": among(&category),
        "customer": among(&filter.customer),
        "provider": among(&filter.provider),
        "csr": among(&filter.csr),
        "deliveryAgent": among(&filter.agent),
        "currency": filter.currency.map(|currency| currency.code().to_owned()),
        "createdAt": stretch(filter.created_from, filter.created_until),
        "statusChangedAt": stretch(filter.changed_from, filter.changed_until),
        "deleted": filter.deleted,
    })
}

fn ids(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().expect("nodes");
    nodes.iter().map(|node| node["id"].as_str().expect("an id").to_owned()).collect()
}

async fn page(client: &Client, asked: &Asked, size: (&str, usize), cursor: (&str, &Value)) -> Value {
    let mut variables = asked.variables();
    variables.insert(size.0.to_owned(), json!(size.1));
    variables.insert(cursor.0.to_owned(), cursor.1.clone());
    client.data(PAGE, variables.into()).await["orders"].clone()
}

/// All pages of a list, from its beginning, each told rightly whether it has neighbours.
async fn forwards(client: &Client, asked: &Asked, size: usize, whole: usize) -> Vec<String> {
    let (mut list, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = page(client, asked, ("first", size), ("after", &cursor)).await;
        let info = &page["pageInfo"];
        assert_eq!(info["hasPreviousPage"], json!(!list.is_empty()), "{asked:?}");
        list.extend(ids(&page));
        assert_eq!(info["hasNextPage"], json!(list.len() < whole), "{asked:?}");
        if info["hasNextPage"] == json!(false) || list.len() > whole {
            return list;
        }
        cursor = info["endCursor"].clone();
    }
}

/// All pages of a list, from its end, put together in the list's own direction.
async fn backwards(client: &Client, asked: &Asked, size: usize, whole: usize) -> Vec<String> {
    let (mut list, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = page(client, asked, ("last", size), ("before", &cursor)).await;
        let info = &page["pageInfo"];
        assert_eq!(info["hasNextPage"], json!(!list.is_empty()), "{asked:?}");
        list.splice(0..0, ids(&page));
        assert_eq!(info["hasPreviousPage"], json!(list.len() < whole), "{asked:?}");
        if info["hasPreviousPage"] == json!(false) || list.len() > whole {
            return list;
        }
        cursor = info["startCursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_every_list_put_together_are_the_list_whoever_looks_and_however_it_is_sorted() {
    let app = App::start().await;
    let crowd = app.crowd(1, 60).await;
    let mut longest = 0;
    for (name, account) in viewers(&app).await {
        let (client, actor) = (app.client(account), actor(&app, account).await);
        for field in FIELDS {
            for descending in [true, false] {
                let currency = (field == "TOTAL").then(|| "EUR".parse().expect("a currency"));
                let asked = Asked { filter: Filter { currency, ..Filter::default() }, field, descending };
                let expected = oracle(&app, &actor, &asked, &crowd);
                longest = longest.max(expected.len());
                let size = expected.len().div_ceil(4).max(2);
                let read = forwards(&client, &asked, size, expected.len()).await;
                assert_eq!(read, expected, "{name} forwards, {field}, descending: {descending}");
                let read = backwards(&client, &asked, size, expected.len()).await;
                assert_eq!(read, expected, "{name} backwards, {field}, descending: {descending}");
            }
        }
    }
    assert!(longest > 30, "the longest list has only {longest} orders");
}

/// A random narrowing: each condition now and then, its values from what the crowd holds.
fn random_filter(app: &App, rng: &mut StdRng, crowd: &[Head]) -> Filter {
    fn some<T>(rng: &mut StdRng, chance: f64, mut value: impl FnMut(&mut StdRng) -> T) -> Option<Vec<T>> {
        let count = rng.random_range(0..4);
        rng.random_bool(chance).then(|| (0..count).map(|_| value(rng)).collect())
    }
    fn head<'a>(rng: &mut StdRng, crowd: &'a [Head]) -> &'a Head {
        crowd.choose(rng).expect("an order")
    }
    let company = &app.company;
    let organizations: [OrganizationId; 4] =
        [company.customer, company.other_customer, company.provider_org, company.rival_org];
    let people: [UserId; 4] = [company.csr.id, company.agent.id, company.staff.id, company.admin.id];
    let organization = |rng: &mut StdRng| *organizations.choose(rng).expect("an organisation");
    let person = |rng: &mut StdRng| *people.choose(rng).expect("an account");
    let status = |rng: &mut StdRng| {
        let head = head(rng, crowd);
        let facet = head.facet(&app.inner.book.newest(&head.workflow).expect("a workflow"));
        if rng.random_bool(0.5) { facet.status } else { facet.public_status }
    };
    let moment = |rng: &mut StdRng, of: fn(&Head) -> DateTime<Utc>| {
        let nudge = TimeDelta::milliseconds(rng.random_range(-1..=1));
        rng.random_bool(0.2).then(|| of(head(rng, crowd)) + nudge)
    };
    Filter {
        workflow: some(rng, 0.2, |rng| head(rng, crowd).workflow.clone()),
        status: some(rng, 0.2, status),
        category: some(rng, 0.2, |rng| *Category::ALL.choose(rng).expect("a category")),
        customer: some(rng, 0.2, organization),
        provider: some(rng, 0.2, organization),
        csr: some(rng, 0.2, person),
        agent: some(rng, 0.2, person),
        currency: rng.random_bool(0.3).then(|| head(rng, crowd).currency),
        created_from: moment(rng, |head| head.created_at),
        created_until: moment(rng, |head| head.created_at),
        changed_from: moment(rng, |head| head.status_changed_at),
        changed_until: moment(rng, |head| head.status_changed_at),
        deleted: rng.random_bool(0.15),
        // Of attempts, which a head does not know: see `attempt.rs`.
        awaits_worker: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_conditions_narrow_lists_and_their_counts_as_the_rules_say() {
    let app = App::start().await;
    let crowd = app.crowd(2, 90).await;
    let mut rng = StdRng::seed_from_u64(3);
    let query = "query($where: OrderWhereInput, $orderBy: OrderOrder) \
        { orders(where: $where, orderBy: $orderBy, first: 100) { totalCount nodes { id } } }";
    let mut filled = 0;
    for (name, account) in viewers(&app).await {
        let (client, actor) = (app.client(account), actor(&app, account).await);
        for _ in 0..40 {
            let filter = random_filter(&app, &mut rng, &crowd);
            let sortable = if filter.currency.is_some() { 3 } else { 2 };
            let field = FIELDS[rng.random_range(0..sortable)];
            let asked = Asked { filter, field, descending: rng.random_bool(0.5) };
            let expected = oracle(&app, &actor, &asked, &crowd);
            let read = client.data(query, asked.variables().into()).await["orders"].clone();
            assert_eq!(ids(&read), expected, "{name}: {asked:#?}");
            assert_eq!(read["totalCount"], json!(expected.len()), "{name}: {asked:#?}");
            filled += usize::from(!expected.is_empty());
        }
    }
    assert!(filled > 100, "only {filled} lists had anything in them");
}

/// Somebody who sees an order as its customer and as the operator sees its internal status, whichever of
/// the two memberships the list finds it by.
#[tokio::test(flavor = "multi_thread")]
async fn every_status_lists_the_orders_that_stand_in_it_for_this_viewer() {
    let app = App::start().await;
    let crowd = app.crowd(7, 150).await;
    let book = app.inner.book.now();
    let statuses = book.all().flat_map(|workflow| &workflow.statuses);
    let codes: BTreeSet<&str> =
        statuses.flat_map(|status| [status.code.as_str(), status.public_code()]).collect();
    for (name, account) in viewers(&app).await {
        let (client, actor) = (app.client(account), actor(&app, account).await);
        for code in &codes {
            let filter = Filter { status: Some(vec![(*code).to_owned()]), ..Filter::default() };
            let asked = Asked { filter, field: "STATUS_CHANGED_AT", descending: true };
            let expected = oracle(&app, &actor, &asked, &crowd);
            let read = page(&client, &asked, ("first", 100), ("after", &Value::Null)).await;
            assert_eq!(ids(&read), expected, "{name}: {code}");
        }
    }
}

/// One condition at a time, so that none is covered only by chance.
#[tokio::test(flavor = "multi_thread")]
async fn each_condition_alone_narrows_the_list() {
    let app = App::start().await;
    let crowd = app.crowd(4, 90).await;
    let (company, actor) = (&app.company, actor(&app, app.company.staff).await);
    let middle = app.world.now() - TimeDelta::days(30) + TimeDelta::seconds(60);
    let none = Filter::default;
    let alone = [
        ("workflow", Filter { workflow: Some(vec!["cloud".to_owned()]), ..none() }),
        (
            "status",
            Filter { status: Some(vec!["pending_payment".to_owned(), "failed".to_owned()]), ..none() },
        ),
        ("category", Filter { category: Some(vec![Category::Failed, Category::Pending]), ..none() }),
        ("archived", Filter { category: Some(vec![Category::Archived]), ..none() }),
        ("customer", Filter { customer: Some(vec![company.other_customer]), ..none() }),
        ("provider", Filter { provider: Some(vec![company.rival_org]), ..none() }),
        ("csr", Filter { csr: Some(vec![company.csr.id]), ..none() }),
        ("deliveryAgent", Filter { agent: Some(vec![company.agent.id]), ..none() }),
        ("currency", Filter { currency: Some("USD".parse().expect("a currency")), ..none() }),
        ("createdAt from", Filter { created_from: Some(middle), ..none() }),
        ("createdAt until", Filter { created_until: Some(middle), ..none() }),
        ("statusChangedAt from", Filter { changed_from: Some(middle), ..none() }),
        ("statusChangedAt until", Filter { changed_until: Some(middle), ..none() }),
        ("deleted", Filter { deleted: true, ..none() }),
    ];
    let all = oracle(&app, &actor, &Asked { filter: none(), field: "CREATED_AT", descending: true }, &crowd);
    let archived = crowd.iter().filter(|head| head.category == Category::Archived).count();
    assert!(archived > 0, "the crowd has no archived order");
    assert!(all.len() + archived <= crowd.len(), "archived orders are left out unless named");
    for (name, filter) in alone {
        for field in ["CREATED_AT", "STATUS_CHANGED_AT"] {
            let asked = Asked { filter: filter.clone(), field, descending: true };
            let expected = oracle(&app, &actor, &asked, &crowd);
            assert!(!expected.is_empty() && expected.len() < all.len(), "{name} narrows nothing");
            let read = page(&app.staff(), &asked, ("first", 100), ("after", &Value::Null)).await;
            assert_eq!(ids(&read), expected, "{name} by {field}");
        }
    }
}
