//! Stories of hosting orders: reviewed, accepted, cancelled, found out.

use domain::{
    event::Audience::Staff as Internal,
    order::PaymentMethod::{Card, Transfer},
};

use super::{
    Baskets, Step, Story,
    What::{Act, AssignCsr, Because, Note, Pay},
    Who::{Buyer, Csr, Staff, System},
    now, past,
};

const HOSTING: Baskets = &[&["WEB-S"], &["WEB-PRO", "DOMAIN-EU"], &["DOMAIN-EU"]];

const TAKEN: Step = (Staff, 240, Act("accept"));

pub(super) const STORIES: &[Story] = &[
    now(5, HOSTING, Buyer, &[]),
    now(2, HOSTING, Buyer, &[(Staff, 200, Pay(100, Card))]),
    now(
        2,
        HOSTING,
        Buyer,
        &[
            (Staff, 30, AssignCsr),
            (Csr, 60, Note(Internal, "The address is that of a mail drop; asked for proof.")),
        ],
    ),
    past(8, HOSTING, Buyer, &[(Staff, 300, Pay(100, Transfer)), TAKEN]),
    past(2, HOSTING, Staff, &[TAKEN, (Staff, 90, Act("reset_to_pending")), TAKEN]),
    past(2, HOSTING, Buyer, &[(Buyer, 120, Act("cancel"))]),
    past(2, HOSTING, Buyer, &[(Staff, 5_000, Because("cancel", "The customer never answered"))]),
    past(
        2,
        HOSTING,
        Buyer,
        &[
            (Staff, 300, Pay(100, Card)),
            TAKEN,
            (Staff, 3_000, Because("cancel_and_refund", "Within the fortnight of withdrawal")),
        ],
    ),
    past(2, HOSTING, Buyer, &[(Staff, 45, Because("mark_fraud", "A stolen card, said the bank"))]),
    past(1, HOSTING, Buyer, &[(System, 1, Because("mark_fraud", "The fraud check: 97 of 100"))]),
];
