//! The stories that the demo's orders tell: who does what, and how long after the step before.

use domain::{
    event::Audience::{self, Provider, Public, Staff as Internal},
    order::{
        ErrorCategory::{self, Capacity, Configuration, Infrastructure, Other},
        PaymentMethod::{self, Card, Cash, Pos, Transfer},
    },
};

use What::{Act, AssignAgent, AssignCsr, Because, Fail, KeepCredit, Note, Pay, Refund, Set};
use Who::{Agent, Approver, Buyer, Csr, Manager, Owner, Staff, Support, System, Worker};

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
    pub baskets: &'static [&'static [&'static str]],
    /// Who places them.
    pub opener: Who,
    /// Whether they ended only now.
    pub fresh: bool,
    /// What happens then.
    pub steps: &'static [Step],
}

type Baskets = &'static [&'static [&'static str]];

const CLOUD: Baskets = &[&["VPS-S"], &["VPS-L"], &["PG-M"]];
const BOTH: Baskets = &[&["HPC-CORE"]];
const BUYER_ONLY: Baskets = &[&["GPU-HOUR"]];
const BOUGHT_WITH_APPROVAL: Baskets = &[&["HPC-CORE"], &["GPU-HOUR"]];
const PROVIDER_ONLY: Baskets = &[&["CONSULT"]];
const AT_ONCE: Baskets = &[&["SANDBOX"]];
const HOSTING: Baskets = &[&["WEB-S"], &["WEB-PRO", "DOMAIN-EU"], &["DOMAIN-EU"]];
const DELIVERY: Baskets = &[&["COFFEE"], &["VEG-BOX"], &["COFFEE", "VEG-BOX"]];
const COMMERCE: Baskets = &[&["CHAIR"], &["DESK"], &["DESK", "CHAIR"]];

const NO_HOST: &str = "no host with enough memory in eu-central";
const TRACE: &str = "Traceback (most recent call last):\n  File \"agent/provision.py\", line 212, in \
    place\n    host = scheduler.pick(flavour)\n  File \"agent/scheduler.py\", line 88, in pick\n    \
    raise NoValidHost(flavour)\nNoValidHost: 0 of 14 hosts fit";
const TIMEOUT: &str = "Traceback (most recent call last):\n  File \"agent/api.py\", line 41, in call\n    \
    raise Timeout(url, 30)\nTimeout: storage.internal did not answer within 30 s";

const fn now(times: usize, baskets: Baskets, opener: Who, steps: &'static [Step]) -> Story {
    Story {
        times,
        baskets,
        opener,
        fresh: true,
        steps,
    }
}

const fn past(times: usize, baskets: Baskets, opener: Who, steps: &'static [Step]) -> Story {
    Story {
        times,
        baskets,
        opener,
        fresh: false,
        steps,
    }
}

/// Every story, workflow by workflow, in the order of its statuses.
pub(super) const STORIES: &[&[Story]] = &[CLOUD_STORIES, MARKETPLACE, HOSTING_STORIES, GOODS_SENT, SHOP];

const SUBMIT: Step = (Buyer, 20, Act("submit"));
const PAID: Step = (Staff, 600, Pay(100, Transfer));
const VALIDATE: Step = (Worker, 15, Act("validate"));
const PROVISION: Step = (Worker, 6, Act("provision"));
const FULFILL: Step = (Worker, 11, Act("fulfill"));
const FULL: Step = (Worker, 9, Fail(Capacity, NO_HOST, Some(TRACE)));

const CLOUD_STORIES: &[Story] = &[
    now(5, CLOUD, Buyer, &[]),
    now(
        2,
        CLOUD,
        Staff,
        &[(
            Support,
            40,
            Note(Internal, "Asked for an offer by telephone; price confirmed."),
        )],
    ),
    now(4, CLOUD, Buyer, &[SUBMIT]),
    now(
        3,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            (Staff, 900, Pay(40, Transfer)),
            (
                Staff,
                5,
                Note(
                    Public,
                    "Thank you for the first instalment; the rest is still open.",
                ),
            ),
        ],
    ),
    now(4, CLOUD, Buyer, &[SUBMIT, (Staff, 90, Pay(100, Card))]),
    now(4, CLOUD, Buyer, &[SUBMIT, PAID, VALIDATE]),
    now(4, CLOUD, Buyer, &[SUBMIT, PAID, VALIDATE, PROVISION]),
    past(11, CLOUD, Buyer, &[SUBMIT, PAID, VALIDATE, PROVISION, FULFILL]),
    past(
        3,
        CLOUD,
        Staff,
        &[
            SUBMIT,
            PAID,
            VALIDATE,
            PROVISION,
            FULL,
            (Manager, 300, Act("retry")),
            FULFILL,
            (Staff, 1_440, Refund(10, "Goodwill for the late delivery")),
        ],
    ),
    now(
        2,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            PAID,
            VALIDATE,
            (
                Worker,
                4,
                Fail(
                    Configuration,
                    "the image debian-13 is not offered in this region",
                    None,
                ),
            ),
            (
                Owner,
                45,
                Note(Provider, "The image list is being repaired; retry afterwards."),
            ),
        ],
    ),
    now(
        3,
        CLOUD,
        Buyer,
        &[SUBMIT, PAID, VALIDATE, PROVISION, FULL, (Staff, 30, AssignCsr)],
    ),
    now(
        2,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            PAID,
            VALIDATE,
            PROVISION,
            (
                Worker,
                31,
                Fail(Infrastructure, "the storage backend timed out", Some(TIMEOUT)),
            ),
            (Manager, 120, Act("retry")),
            (
                Worker,
                31,
                Fail(
                    Infrastructure,
                    "the storage backend timed out again",
                    Some(TIMEOUT),
                ),
            ),
        ],
    ),
    past(2, CLOUD, Buyer, &[(Buyer, 2_000, Act("cancel"))]),
    past(
        2,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            (Staff, 10_000, Because("cancel", "Not paid within a week")),
        ],
    ),
    past(
        2,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            PAID,
            VALIDATE,
            PROVISION,
            FULL,
            (Staff, 600, Refund(100, "The region stays full this month")),
            (
                Staff,
                3,
                Because("cancel_failed", "No capacity; the customer has the money back"),
            ),
        ],
    ),
    past(
        1,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            PAID,
            VALIDATE,
            PROVISION,
            FULL,
            (
                Staff,
                800,
                KeepCredit("cancel_failed", "The customer orders again and keeps the credit"),
            ),
        ],
    ),
];

const APPROVE: Step = (Approver, 240, Act("approve"));
const ACCEPT: Step = (Manager, 500, Act("approve"));
const NO_QUOTA: &str = "the project's quota on the partition is used up";

const MARKETPLACE: &[Story] = &[
    now(5, BOUGHT_WITH_APPROVAL, Buyer, &[]),
    now(3, BOTH, Buyer, &[APPROVE]),
    now(
        3,
        PROVIDER_ONLY,
        Buyer,
        &[(Support, 60, Note(Internal, "Asked the provider to look at it."))],
    ),
    now(3, BOTH, Buyer, &[APPROVE, ACCEPT]),
    now(3, AT_ONCE, Buyer, &[]),
    past(6, BOTH, Buyer, &[APPROVE, ACCEPT, (Worker, 12, Act("complete"))]),
    past(4, BUYER_ONLY, Buyer, &[APPROVE, (Owner, 90, Act("complete"))]),
    past(
        4,
        PROVIDER_ONLY,
        Staff,
        &[
            ACCEPT,
            (Manager, 4_000, Act("complete")),
            (Manager, 30, Note(Public, "The report is in your inbox.")),
        ],
    ),
    past(4, AT_ONCE, Buyer, &[(Worker, 7, Act("complete"))]),
    past(
        2,
        BOTH,
        Buyer,
        &[
            APPROVE,
            ACCEPT,
            (Worker, 10, Fail(Capacity, NO_QUOTA, None)),
            (Manager, 700, Act("retry")),
            (Worker, 14, Act("complete")),
        ],
    ),
    now(
        2,
        BOTH,
        Buyer,
        &[APPROVE, ACCEPT, (Worker, 10, Fail(Capacity, NO_QUOTA, None))],
    ),
    now(
        2,
        AT_ONCE,
        Buyer,
        &[(
            Worker,
            3,
            Fail(Other, "the site agent was restarted half-way", Some(TIMEOUT)),
        )],
    ),
    past(2, BOUGHT_WITH_APPROVAL, Buyer, &[(Buyer, 300, Act("cancel"))]),
    past(1, PROVIDER_ONLY, Buyer, &[(Staff, 2_900, Act("cancel"))]),
    past(
        2,
        BOUGHT_WITH_APPROVAL,
        Buyer,
        &[(Approver, 400, Because("reject", "Not in this quarter's budget"))],
    ),
    past(
        2,
        PROVIDER_ONLY,
        Buyer,
        &[(Owner, 700, Because("reject", "Nobody is free in that week"))],
    ),
];

const TAKEN: Step = (Staff, 240, Act("accept"));

const HOSTING_STORIES: &[Story] = &[
    now(5, HOSTING, Buyer, &[]),
    now(2, HOSTING, Buyer, &[(Staff, 200, Pay(100, Card))]),
    now(
        2,
        HOSTING,
        Buyer,
        &[
            (Staff, 30, AssignCsr),
            (
                Csr,
                60,
                Note(Internal, "The address is that of a mail drop; asked for proof."),
            ),
        ],
    ),
    past(8, HOSTING, Buyer, &[(Staff, 300, Pay(100, Transfer)), TAKEN]),
    past(
        2,
        HOSTING,
        Staff,
        &[TAKEN, (Staff, 90, Act("reset_to_pending")), TAKEN],
    ),
    past(2, HOSTING, Buyer, &[(Buyer, 120, Act("cancel"))]),
    past(
        2,
        HOSTING,
        Buyer,
        &[(Staff, 5_000, Because("cancel", "The customer never answered"))],
    ),
    past(
        2,
        HOSTING,
        Buyer,
        &[
            (Staff, 300, Pay(100, Card)),
            TAKEN,
            (
                Staff,
                3_000,
                Because("cancel_and_refund", "Within the fortnight of withdrawal"),
            ),
        ],
    ),
    past(
        2,
        HOSTING,
        Buyer,
        &[(Staff, 45, Because("mark_fraud", "A stolen card, said the bank"))],
    ),
    past(
        1,
        HOSTING,
        Buyer,
        &[(System, 1, Because("mark_fraud", "The fraud check: 97 of 100"))],
    ),
];

const PACK: Step = (Csr, 45, Act("process"));
const GIVEN: Step = (Csr, 20, AssignAgent);
const DRIVE: Step = (Agent, 90, Act("dispatch"));
const HANDED: Step = (Agent, 50, Act("deliver"));
const AWAY: Step = (Agent, 70, Because("fail", "Nobody answered the door"));

const GOODS_SENT: &[Story] = &[
    now(5, DELIVERY, Buyer, &[]),
    now(
        2,
        DELIVERY,
        Csr,
        &[(Staff, 10, AssignCsr), (Csr, 12, AssignAgent)],
    ),
    now(3, DELIVERY, Csr, &[PACK]),
    now(2, DELIVERY, Buyer, &[(Staff, 60, Pay(100, Card)), PACK, GIVEN]),
    now(4, DELIVERY, Csr, &[PACK, GIVEN, DRIVE]),
    past(
        7,
        DELIVERY,
        Csr,
        &[PACK, GIVEN, DRIVE, HANDED, (Agent, 2, Pay(100, Cash))],
    ),
    past(
        3,
        DELIVERY,
        Buyer,
        &[(Staff, 60, Pay(100, Pos)), GIVEN, DRIVE, HANDED],
    ),
    past(
        2,
        DELIVERY,
        Buyer,
        &[
            PACK,
            GIVEN,
            DRIVE,
            AWAY,
            (Csr, 900, Set("processing", "The customer is at home tomorrow")),
            DRIVE,
            HANDED,
        ],
    ),
    now(3, DELIVERY, Csr, &[PACK, GIVEN, DRIVE, AWAY]),
    past(
        2,
        DELIVERY,
        Buyer,
        &[(Csr, 200, Because("cancel", "Ordered twice by mistake"))],
    ),
    past(
        2,
        DELIVERY,
        Buyer,
        &[
            (Staff, 60, Pay(100, Card)),
            PACK,
            (Staff, 300, Refund(100, "The harvest was lost to hail")),
            (
                Staff,
                4,
                Because("cancel", "Sold out; the money is on its way back"),
            ),
        ],
    ),
];

const SHIP: Step = (Manager, 1_500, Act("ship"));

const SHOP: &[Story] = &[
    now(6, COMMERCE, Buyer, &[]),
    now(2, COMMERCE, Staff, &[(Staff, 700, Pay(50, Transfer))]),
    now(5, COMMERCE, Buyer, &[(Staff, 700, Pay(100, Transfer)), SHIP]),
    past(2, COMMERCE, Buyer, &[(Buyer, 500, Act("cancel"))]),
    past(
        2,
        &[&["CHAIR"], &["DESK"]],
        Buyer,
        &[(System, 32_000, Act("expire"))],
    ),
    past(
        4,
        COMMERCE,
        Buyer,
        &[(Staff, 700, Pay(100, Card)), SHIP, (Staff, 9_000, Act("close"))],
    ),
    past(
        1,
        COMMERCE,
        Buyer,
        &[(Buyer, 500, Act("cancel")), (Staff, 2_000, Act("close"))],
    ),
    past(
        4,
        COMMERCE,
        Buyer,
        &[
            (Staff, 700, Pay(100, Transfer)),
            SHIP,
            (Staff, 9_000, Act("close")),
            (Staff, 12_000, Act("archive")),
        ],
    ),
];

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
