//! What people ask of an existing order.

use super::{Edit, ErrorCategory, Line, LineInputs, OrderNumber, Particulars, PaymentMethod, Plan, Work};
use crate::{
    actor::Actor,
    event::Audience,
    id::{ItemId, PaymentId, ScheduleId, UserId},
    money::Money,
    refusal::Refusal,
};

/// The longest texts and lists that are accepted; characters and counts.
pub mod limits {
    /// A reason.
    pub const REASON: usize = 2_000;
    /// A note, and what the customer writes.
    pub const NOTE: usize = 5_000;
    /// A failure's message.
    pub const MESSAGE: usize = 5_000;
    /// A failure's traceback.
    pub const TRACEBACK: usize = 50_000;
    /// A name, a reference, a line of an address.
    pub const NAME: usize = 200;
    /// Lines of one order.
    pub const LINES: usize = 200;
    /// Units on one line.
    pub const QUANTITY: i64 = 1_000_000;
    /// A line's configuration or an order's metadata, bytes of JSON.
    pub const JSON: usize = 16_384;
    /// Objects and lists within each other in it.
    pub const NESTING: usize = 32;
    /// Tags of one order.
    pub const TAGS: usize = 20;
    /// Actions that wait for their time on one order.
    pub const SCHEDULES: usize = 20;
    /// How far ahead an action is scheduled, in months.
    pub const AHEAD: u32 = 60;
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// What it was due to.
    pub category: ErrorCategory,
    /// In words.
    pub message: String,
    /// Where in the provider's code; never shown to customers or support.
    pub traceback: Option<String>,
}

/// A move along the workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Transition {
    /// The workflow's action.
    pub action: String,
    /// Why.
    pub reason: Option<String>,
    /// What failed.
    pub error: Option<Failure>,
    /// The status to go to, for actions that let the caller choose.
    pub to: Option<String>,
    /// The lines it concerns; all if none are named.
    pub items: Option<Vec<ItemId>>,
    /// Cancel although payments stay with us, as a credit.
    pub keep_credit: bool,
    /// The order's number typed again, for what cannot be undone.
    pub number: Option<OrderNumber>,
    /// Begin again although the workflow would not: after such a failure, or so often.
    pub overrides: bool,
    /// What workers need for the lines that work begins on.
    #[serde(skip)]
    pub inputs: Vec<LineInputs>,
}

/// Somebody an order is given to, with the rights that decide whether it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignee {
    /// The account.
    pub user: UserId,
    /// Its memberships.
    pub actor: Actor,
}

/// A change of an existing order.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Move it.
    Transition(Transition),
    /// Give it to a representative, or to nobody.
    AssignCsr(Option<Assignee>),
    /// Give it to a delivery agent, or to nobody.
    AssignAgent(Option<Assignee>),
    /// Record money received.
    RecordPayment {
        /// How much, in the order's currency.
        amount: Money,
        /// How.
        method: PaymentMethod,
        /// The bank's or terminal's reference.
        reference: Option<String>,
    },
    /// Give money back.
    Refund {
        /// How much; all that is left of the payments if not told.
        amount: Option<Money>,
        /// Of which payment; of the newest ones first if not told.
        payment: Option<PaymentId>,
        /// Why.
        reason: String,
    },
    /// Write a note.
    AddNote {
        /// The text.
        body: String,
        /// Who reads it.
        audience: Audience,
    },
    /// Have an action taken later.
    Schedule(Plan),
    /// Call a scheduled action off.
    Unschedule(ScheduleId),
    /// Take an attempt at a line, or tell how one ended.
    Work(Work),
    /// Change what it says.
    Edit {
        /// How.
        edit: Box<Edit>,
        /// Contact, addresses and notes as they are.
        particulars: Box<Particulars>,
    },
    /// Hide it from all but staff.
    Delete {
        /// Why.
        reason: Option<String>,
    },
    /// Bring it back after it was deleted.
    Restore,
    /// Remove it for good.
    Purge {
        /// Its number, typed again.
        number: OrderNumber,
    },
    /// Tell how the work on a line ended, by hand, or begin it again.
    Line(Line),
}

/// A text from outside, trimmed and bounded.
#[derive(Clone, Copy, Debug)]
pub struct FreeText {
    /// Where in the input it stands.
    pub path: &'static str,
    /// The most characters it may have.
    pub most: usize,
}

impl FreeText {
    /// The trimmed text, none when it is blank; refused when it is too long or holds control
    /// characters other than line breaks and tabs.
    pub fn optional(self, text: Option<&str>) -> Result<Option<String>, Refusal> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.chars().count() > self.most {
            return Err(Refusal::invalid(self.path, format!("at most {} characters are allowed", self.most)));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(Refusal::invalid(self.path, "control characters are not allowed"));
        }
        Ok(Some(text.to_owned()))
    }

    /// The trimmed text; blank is refused too.
    pub fn required(self, text: &str) -> Result<String, Refusal> {
        self.optional(Some(text))?.ok_or_else(|| Refusal::invalid(self.path, "a text is needed here"))
    }
}
