//! Stories of marketplace orders: approved by both sides, by one, by nobody; executed or rejected.

use domain::{
    event::Audience::{Public, Staff as Internal},
    order::ErrorCategory::{Capacity, Other},
};

use super::{
    Baskets, Step, Story, TIMEOUT,
    What::{Act, Because, Fail, Note},
    Who::{Approver, Buyer, Manager, Owner, Staff, Support, Worker},
    now, past,
};

const BOTH: Baskets = &[&["HPC-CORE"]];
const BUYER_ONLY: Baskets = &[&["GPU-HOUR"]];
const BOUGHT_WITH_APPROVAL: Baskets = &[&["HPC-CORE"], &["GPU-HOUR"]];
const PROVIDER_ONLY: Baskets = &[&["CONSULT"]];
const AT_ONCE: Baskets = &[&["SANDBOX"]];

const APPROVE: Step = (Approver, 240, Act("approve"));
const ACCEPT: Step = (Manager, 500, Act("approve"));
const NO_QUOTA: &str = "the project's quota on the partition is used up";

pub(super) const STORIES: &[Story] = &[
    now(5, BOUGHT_WITH_APPROVAL, Buyer, &[]),
    now(3, BOTH, Buyer, &[APPROVE]),
    now(3, PROVIDER_ONLY, Buyer, &[(Support, 60, Note(Internal, "Asked the provider to look at it."))]),
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
    now(2, BOTH, Buyer, &[APPROVE, ACCEPT, (Worker, 10, Fail(Capacity, NO_QUOTA, None))]),
    now(
        2,
        AT_ONCE,
        Buyer,
        &[(Worker, 3, Fail(Other, "the site agent was restarted half-way", Some(TIMEOUT)))],
    ),
    past(2, BOUGHT_WITH_APPROVAL, Buyer, &[(Buyer, 300, Act("cancel"))]),
    past(1, PROVIDER_ONLY, Buyer, &[(Staff, 2_900, Act("cancel"))]),
    past(
        2,
        BOUGHT_WITH_APPROVAL,
        Buyer,
        &[(Approver, 400, Because("reject", "Not in this quarter's budget"))],
    ),
    past(2, PROVIDER_ONLY, Buyer, &[(Owner, 700, Because("reject", "Nobody is free in that week"))]),
];
