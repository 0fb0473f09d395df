//! The stories that the demo's orders tell: who does what, and how long after the step before.

mod cloud;
mod goods;
mod hosting;
mod marketplace;

use domain::{
    event::Audience,
    order::{ErrorCategory, PaymentMethod},
};

/// Who takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Staff,
    Support,
    Csr,
    Agent,
    /// The provider's owner.
    Owner,
    /// The provider's manager; its owner where the manager has no such offering.
    Manager,
    Worker,
    /// The customer's owner.
    Approver,
    /// Who placed it at the customer; its owner where the desk placed it.
    Buyer,
    System,
}

/// What a step does.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// Takes an action.
    Act(&'static str),
    /// Takes an action, with a reason.
    Because(&'static str, &'static str),
    /// The same, and what was paid stays as a credit.
    KeepCredit(&'static str, &'static str),
    /// Sets a status, with a reason.
    Set(&'static str, &'static str),
    /// Reports a failure: category, message, traceback.
    Fail(ErrorCategory, &'static str, Option<&'static str>),
    /// Records so many hundredths of the total.
    Pay(i64, PaymentMethod),
    /// Gives back so many hundredths of what is paid.
    Refund(i64, &'static str),
    /// Writes a note.
    Note(Audience, &'static str),
    /// Gives the order to the representative.
    AssignCsr,
    /// Gives the order to the delivery agent.
    AssignAgent,
}

/// A step: who, how many minutes later, what.
pub(super) type Step = (Who, u32, What);

/// A story, told of several orders.
pub(super) struct Story {
    /// How many orders.
    pub times: usize,
    /// What they buy, taken in turn.
    pub baskets: Baskets,
    /// Who places them.
    pub opener: Who,
    /// Whether they ended only now.
    pub fresh: bool,
    /// What happens then.
    pub steps: &'static [Step],
}

/// The baskets of a story, as SKUs.
type Baskets = &'static [&'static [&'static str]];

const TIMEOUT: &str = "Traceback (most recent call last):\n  File \"agent/api.py\", line 41, in call\n    \
    raise Timeout(url, 30)\nTimeout: storage.internal did not answer within 30 s";

/// A story that is still under way, or has only just ended.
const fn now(times: usize, baskets: Baskets, opener: Who, steps: &'static [Step]) -> Story {
    Story { times, baskets, opener, fresh: true, steps }
}

/// A story that ended some time in the last weeks.
const fn past(times: usize, baskets: Baskets, opener: Who, steps: &'static [Step]) -> Story {
    Story { times, baskets, opener, fresh: false, steps }
}

/// Every story, workflow by workflow, roughly in the order of its statuses.
pub(super) const STORIES: &[&[Story]] =
    &[cloud::STORIES, marketplace::STORIES, hosting::STORIES, goods::DELIVERED, goods::SOLD];

/// Orders of the old shop: the status they came in, what they are of. All are paid for.
pub(super) const OLD_SHOP: &[(&str, &[&str])] = &[
    ("fulfilled", &["VPS-S"]),
    ("fulfilled", &["VPS-L"]),
    ("fulfilled", &["PG-M"]),
    ("done", &["HPC-CORE"]),
    ("done", &["CONSULT"]),
    ("active", &["WEB-S"]),
    ("active", &["WEB-PRO", "DOMAIN-EU"]),
    ("delivered", &["COFFEE"]),
    ("delivered", &["VEG-BOX"]),
    ("delivered", &["COFFEE", "VEG-BOX"]),
    ("closed", &["DESK"]),
    ("archived", &["CHAIR"]),
    ("archived", &["DESK"]),
    ("archived", &["DESK", "CHAIR"]),
    ("archived", &["CHAIR"]),
];
