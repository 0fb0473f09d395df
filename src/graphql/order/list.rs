//! Finding orders: one by name, many by page.

use std::fmt;

use async_graphql::{
    Context, ID, InputObject, Object, OneofObject,
    connection::{Connection, EmptyFields},
};
use chrono::{DateTime, Datelike, TimeZone, Utc};
use domain::order::Filter;
use uuid::Uuid;

use super::{
    Order,
    filter::{OrderOrder, OrderWhereInput},
    shows, store, viewer,
};
use crate::{
    app::App,
    bus::Cursors,
    error::Error,
    graphql::{
        failure::{Failure, Result},
        paging::{Args, Cursor, Window, cost, parse_id, uncursor},
        viewer::Session,
    },
    store::{
        event::Position,
        list::{self, Key, Page, Party, Sort},
        order::{self, Name},
    },
};

/// A reference that a customer gave to an order.
#[derive(Clone, Debug, InputObject)]
pub struct ExternalReferenceInput {
    /// The customer.
    pub customer: ID,
    /// The customer's reference.
    pub reference: String,
}

/// One way to name an order.
#[derive(Clone, Debug, OneofObject)]
pub enum OrderBy {
    /// By id.
    Id(ID),
    /// By number: ten digits.
    Number(String),
    /// By the reference that a customer gave it.
    ExternalReference(ExternalReferenceInput),
}

impl OrderBy {
    fn read(self) -> std::result::Result<Name, Error> {
        Ok(match self {
            OrderBy::Id(id) => Name::Id(parse_id(&id, "by.id")?),
            OrderBy::Number(number) => Name::Number(
                number.parse().map_err(|message: String| Error::bad_input("by.number", message))?,
            ),
            OrderBy::ExternalReference(ExternalReferenceInput { customer, reference }) => {
                Name::Reference(parse_id(&customer, "by.externalReference.customer")?, reference)
            }
        })
    }
}

/// What a page of orders has besides its edges. Costs nothing unless selected.
#[derive(Clone, Debug)]
pub struct OrderPageFields {
    session: Session,
    filter: Filter,
    head: Position,
}

#[Object]
impl OrderPageFields {
    /// How many orders match in all.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let app = ctx.data_unchecked::<App>();
        let page = Page {
            grants: self.session.grants(),
            book: &app.book.now(),
            filter: &self.filter,
            sort: Sort::CreatedAt,
            descending: true,
            after: None,
            before: None,
            from_end: false,
            limit: 0,
        };
        let count = list::count(&app.store, &page).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Where the live feed stood before this page was read: subscribe with it and no change between
    /// list and stream is missed.
    async fn events_cursor(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<Cursors>().seal(self.head)
    }
}

/// A page of orders.
type OrderPage = Connection<Cursor<KeyText>, Order, OrderPageFields, EmptyFields>;

/// Reading orders.
#[derive(Debug, Default)]
pub struct OrderQuery;

#[Object]
impl OrderQuery {
    /// One order by id, number or external reference. What the viewer may not see does not exist.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order's name, one of these.")] by: OrderBy,
    ) -> Option<Result<Order>> {
        let found = async {
            let session = viewer(ctx)?;
            let head = order::find(store(ctx), session.actor(), &by.read()?).await?;
            Ok::<_, Failure>(head.map(|head| Order::single(session, head)))
        };
        found.await.transpose()
    }

    /// Orders that the viewer may see, newest first unless told otherwise.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "one argument of the field each")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Conditions; all that are given must hold.")] conditions: Option<
            OrderWhereInput,
        >,
        #[graphql(desc = "The order of the list; newest first if not given.")] order_by: Option<OrderOrder>,
        #[graphql(desc = "The first so many, up to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<OrderPage> {
        let session = viewer(ctx)?;
        let app = ctx.data_unchecked::<App>();
        let head = app.feed.head();
        let filter = conditions.unwrap_or_default().read()?;
        let (sort, descending) = OrderOrder::read(order_by);
        let window = Args { first, after, last, before }.window(|text| read_key(sort, text))?;
        let Window { after, before, from_end, .. } = window;
        let page = Page {
            grants: session.grants(),
            book: &app.book.now(),
            filter: &filter,
            sort,
            descending,
            after,
            before,
            from_end,
            limit: window.limit(),
        };
        let parties = [("customer", Party::Customer), ("provider", Party::Provider)];
        let parties: Vec<Party> =
            parties.into_iter().filter(|(field, _)| shows(ctx, field)).map(|(_, party)| party).collect();
        let found = list::page(&app.store, &page, &parties).await?;
        let orders = Order::beside(session, found.heads, found.names);
        let fields = OrderPageFields { session: session.clone(), filter, head };
        Ok(window.connection(orders, fields, |order| (KeyText(sort.key(order.head())), order)))
    }
}

/// What a cursor holds: the sort key and the id.
#[derive(Clone, Copy, Debug)]
pub struct KeyText(Key);

impl fmt::Display for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Key::CreatedAt(id) => write!(f, "c {}", id.0),
            Key::StatusChangedAt(at, id) => write!(f, "s {} {}", at.timestamp_millis(), id.0),
            Key::Total(total, id) => write!(f, "t {total} {}", id.0),
        }
    }
}

/// The key of a cursor, if it is one of this sort.
fn read_key(sort: Sort, text: &str) -> Option<Key> {
    let text = uncursor(text)?;
    let parts: Vec<&str> = text.split(' ').collect();
    let id = |text: &str| Uuid::parse_str(text).ok().map(Into::into);
    match (sort, parts.as_slice()) {
        (Sort::CreatedAt, ["c", key]) => Some(Key::CreatedAt(id(key)?)),
        (Sort::StatusChangedAt, ["s", at, key]) => {
            let at: DateTime<Utc> = Utc.timestamp_millis_opt(at.parse().ok()?).single()?;
            // A cursor of ours names a moment that every database can hold.
            (1..=9999).contains(&at.year()).then_some(())?;
            Some(Key::StatusChangedAt(at, id(key)?))
        }
        (Sort::Total, ["t", total, key]) => Some(Key::Total(total.parse().ok()?, id(key)?)),
        _ => None,
    }
}
