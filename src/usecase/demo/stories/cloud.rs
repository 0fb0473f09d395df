//! Stories of cloud orders: paid, validated, provisioned, and what goes wrong on the way.

use domain::{
    event::Audience::{Provider, Public, Staff as Internal},
    order::{
        ErrorCategory::{Capacity, Configuration, Infrastructure},
        PaymentMethod::{Card, Transfer},
    },
};

use super::{
    Baskets, Step, Story, TIMEOUT,
    What::{Act, AssignCsr, Because, Fail, KeepCredit, Note, Pay, Refund},
    Who::{Buyer, Manager, Owner, Staff, Support, Worker},
    now, past,
};

const CLOUD: Baskets = &[&["VPS-S"], &["VPS-L"], &["PG-M"]];

const NO_HOST: &str = "no host with enough memory in eu-central";
const TRACE: &str = "Traceback (most recent call last):\n  File \"agent/provision.py\", line 212, in \
    place\n    host = scheduler.pick(flavour)\n  File \"agent/scheduler.py\", line 88, in pick\n    \
    raise NoValidHost(flavour)\nNoValidHost: 0 of 14 hosts fit";

const SUBMIT: Step = (Buyer, 20, Act("submit"));
const PAID: Step = (Staff, 600, Pay(100, Transfer));
const VALIDATE: Step = (Worker, 15, Act("validate"));
const PROVISION: Step = (Worker, 6, Act("provision"));
const FULFILL: Step = (Worker, 11, Act("fulfill"));
const FULL: Step = (Worker, 9, Fail(Capacity, NO_HOST, Some(TRACE)));

pub(super) const STORIES: &[Story] = &[
    now(5, CLOUD, Buyer, &[]),
    now(
        2,
        CLOUD,
        Staff,
        &[(Support, 40, Note(Internal, "Asked for an offer by telephone; price confirmed."))],
    ),
    now(4, CLOUD, Buyer, &[SUBMIT]),
    now(
        3,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            (Staff, 900, Pay(40, Transfer)),
            (Staff, 5, Note(Public, "Thank you for the first instalment; the rest is still open.")),
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
            (Worker, 4, Fail(Configuration, "the image debian-13 is not offered in this region", None)),
            (Owner, 45, Note(Provider, "The image list is being repaired; retry afterwards.")),
        ],
    ),
    now(3, CLOUD, Buyer, &[SUBMIT, PAID, VALIDATE, PROVISION, FULL, (Staff, 30, AssignCsr)]),
    now(
        2,
        CLOUD,
        Buyer,
        &[
            SUBMIT,
            PAID,
            VALIDATE,
            PROVISION,
            (Worker, 31, Fail(Infrastructure, "the storage backend timed out", Some(TIMEOUT))),
            (Manager, 120, Act("retry")),
            (Worker, 31, Fail(Infrastructure, "the storage backend timed out again", Some(TIMEOUT))),
        ],
    ),
    past(2, CLOUD, Buyer, &[(Buyer, 2_000, Act("cancel"))]),
    past(2, CLOUD, Buyer, &[SUBMIT, (Staff, 10_000, Because("cancel", "Not paid within a week"))]),
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
            (Staff, 3, Because("cancel_failed", "No capacity; the customer has the money back")),
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
            (Staff, 800, KeepCredit("cancel_failed", "The customer orders again and keeps the credit")),
        ],
    ),
];
