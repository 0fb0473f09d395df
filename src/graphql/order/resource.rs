//! What lines provide: servers, accounts, allocations; and the orders that worked on them.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Enum, ID, InputObject, Object, SimpleObject,
    connection::{Connection, EmptyFields},
};
use domain::{
    id::{IdError, ResourceId},
    order,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{Order, filter::IdFilter, store};
use crate::{
    error::Error,
    graphql::{
        failure::Result,
        paging::{Args, Cursor, Window, cost, index, parse_id, uuid},
        scalar::DateTime,
        viewer::session,
    },
    store::resource,
};

/// The state of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::ResourceState")]
pub enum ResourceState {
    /// Coming into being.
    Creating,
    /// In use.
    Ok,
    /// Changing.
    Updating,
    /// Coming to its end.
    Terminating,
    /// The last attempt on it failed.
    Erred,
    /// Gone.
    Terminated,
}

/// A piece of a resource's history.
#[derive(Clone, Debug, SimpleObject)]
pub struct ResourceHistory {
    /// The order that worked on it.
    order: Order,
}

/// The resources of one answer, and the orders about them, read once for all of them.
#[derive(Debug)]
pub struct Histories {
    ids: Vec<ResourceId>,
    orders: OnceCell<HashMap<ResourceId, Vec<Order>>>,
}

impl Histories {
    /// Of these resources.
    pub fn of(ids: Vec<ResourceId>) -> Arc<Histories> {
        Arc::new(Histories { ids, orders: OnceCell::new() })
    }

    async fn read(&self, ctx: &Context<'_>) -> Result<HashMap<ResourceId, Vec<Order>>> {
        let session = session(ctx)?;
        let found = resource::orders(store(ctx), session.actor(), &self.ids).await?;
        let (ids, heads): (Vec<ResourceId>, Vec<_>) = found.into_iter().unzip();
        let mut orders: HashMap<ResourceId, Vec<Order>> = HashMap::new();
        for (id, order) in ids.into_iter().zip(Order::all(session, heads)) {
            let known = orders.entry(id).or_default();
            // Two lines of one order about one resource are one order.
            if known.last().is_none_or(|last| last.head().id != order.head().id) {
                known.push(order);
            }
        }
        Ok(orders)
    }
}

/// What a line provides: a server, an account, an allocation.
#[derive(Clone, Debug)]
pub struct Resource {
    resource: Arc<order::Resource>,
    histories: Arc<Histories>,
}

impl Resource {
    /// A resource of an answer.
    pub fn new(resource: Arc<order::Resource>, histories: Arc<Histories>) -> Resource {
        Resource { resource, histories }
    }

    /// Resources of one answer.
    pub fn all(resources: Vec<order::Resource>) -> impl Iterator<Item = Resource> {
        let histories = Histories::of(resources.iter().map(|resource| resource.id).collect());
        resources.into_iter().map(move |resource| Resource::new(Arc::new(resource), histories.clone()))
    }

    /// Its id.
    pub fn key(&self) -> ResourceId {
        self.resource.id
    }
}

/// What a line provides: a server, an account, an allocation. It is there for whoever sees an order about it.
#[Object]
impl Resource {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.resource.id.to_string().into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.resource.name
    }

    /// Its state.
    async fn state(&self) -> ResourceState {
        self.resource.state.into()
    }

    /// Its id at the provider's backend.
    async fn backend_id(&self) -> Option<&str> {
        self.resource.backend_id.as_deref()
    }

    /// When it came to be.
    async fn created_at(&self) -> DateTime {
        DateTime(self.resource.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.resource.updated_at)
    }

    /// Its history: the orders with a line about it that this viewer may see, oldest first, each with its attempts.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<usize>, ResourceHistory, EmptyFields, EmptyFields>> {
        let window = Args { first, after, last, before }.window(index)?;
        let orders = Box::pin(self.histories.orders.get_or_try_init(|| self.histories.read(ctx))).await?;
        let orders = orders.get(&self.resource.id).cloned().unwrap_or_default();
        Ok(Window::<usize>::slice(window, orders, |order| ResourceHistory { order }))
    }
}

/// One of these states. An empty list matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ResourceStateFilter {
    /// One of these.
    #[graphql(name = "in")]
    pub one_of: Vec<ResourceState>,
}

/// Conditions on resources; all that are given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ResourceWhereInput {
    /// The state.
    pub state: Option<ResourceStateFilter>,
    /// The product.
    pub product: Option<IdFilter>,
    /// The customer.
    pub customer: Option<IdFilter>,
}

impl ResourceWhereInput {
    fn wanted(self) -> std::result::Result<resource::Wanted, Error> {
        Ok(resource::Wanted {
            states: self.state.map(|state| state.one_of.into_iter().map(Into::into).collect()),
            products: self.product.map(|ids| read(&ids, "where.product.in")).transpose()?,
            customers: self.customer.map(|ids| read(&ids, "where.customer.in")).transpose()?,
        })
    }
}

/// Reads at most 50 ids.
fn read<T: std::str::FromStr<Err = IdError>>(
    ids: &IdFilter,
    place: &'static str,
) -> std::result::Result<Vec<T>, Error> {
    const MOST: usize = 50;
    if ids.one_of.len() > MOST {
        return Err(Error::bad_input(place, format!("at most {MOST} values are allowed")));
    }
    ids.one_of.iter().map(|id| parse_id(id, place)).collect()
}

/// Reading resources.
#[derive(Debug, Default)]
pub struct ResourceQuery;

#[Object]
impl ResourceQuery {
    /// Resources, oldest first: those with an order that this viewer may see.
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn resources(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Conditions.")] conditions: Option<ResourceWhereInput>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor<Uuid>, Resource, EmptyFields, EmptyFields>> {
        let actor = session(ctx)?.actor();
        let window = Args { first, after, last, before }.window(uuid)?;
        let wanted = conditions.unwrap_or_default().wanted()?;
        let rows = resource::page(store(ctx), actor, &wanted, window.stretch()).await?;
        let rows = Resource::all(rows).collect();
        Ok(window.connection(rows, EmptyFields, |row: Resource| (row.key().0, row)))
    }
}
