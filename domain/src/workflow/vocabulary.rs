//! The closed words of a definition. A workflow is data, but what the words mean is code: a new one
//! is a new variant, and the compiler names every place that has to learn it.

use serde::{Deserialize, Serialize};

macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// All of them, in the order of the documentation.
            pub const ALL: [$name; [$($text),*].len()] = [$($name::$variant),*];

            /// The name in definitions, in the database and in the API.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            /// The value of this name.
            pub fn parse(name: &str) -> Option<$name> {
                $name::ALL.into_iter().find(|value| value.name() == name)
            }
        }
    };
}

closed_enum! {
    /// What a status means. Totals, filters and clients branch on it, so that no code ever compares
    /// status codes.
    Category {
        /// Not submitted yet.
        Draft = "DRAFT",
        /// Waits for somebody's decision or payment.
        Pending = "PENDING",
        /// Is being worked on.
        InProgress = "IN_PROGRESS",
        /// Did what it was for.
        Succeeded = "SUCCEEDED",
        /// Could not be carried out.
        Failed = "FAILED",
        /// Is not wanted any more.
        Cancelled = "CANCELLED",
        /// Needs nobody's attention.
        Closed = "CLOSED",
        /// Left the default lists; can still be found.
        Archived = "ARCHIVED",
    }
}

impl Category {
    /// Whether work or a decision is still to come.
    pub const fn is_open(self) -> bool {
        matches!(self, Category::Draft | Category::Pending | Category::InProgress)
    }
}

closed_enum! {
    /// Whether orders move along named actions alone.
    #[derive(Default)]
    Moves {
        /// Along the transitions only.
        #[default]
        Strict = "strict",
        /// A `@chosen` transition may set any status; what the named action into that status
        /// demands is demanded then too.
        Free = "free",
    }
}

closed_enum! {
    /// A condition on the order that a transition can name.
    Guard {
        /// No product needs the provider's approval.
        NoProviderApproval = "no_provider_approval",
        /// No product needs the customer's approval.
        NoConsumerApproval = "no_consumer_approval",
        /// Every product is of a kind that people carry out: BASIC or SLURM.
        ManualOffering = "manual_offering",
        /// No item is active.
        NothingActive = "nothing_active",
        /// A delivery agent is assigned.
        AgentAssigned = "agent_assigned",
        /// Payments cover the total.
        PaidInFull = "paid_in_full",
        /// The expiry automation is on, and the day until which the order is wanted is over.
        Expired = "expired",
    }
}

impl Guard {
    /// What must hold, in plain words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Guard::NoProviderApproval => "none of the order's products may need the provider's approval",
            Guard::NoConsumerApproval => "none of the order's products may need the customer's approval",
            Guard::ManualOffering => "every product of the order must be of kind BASIC or SLURM",
            Guard::NothingActive => "none of the order's items may be active",
            Guard::AgentAssigned => "the order needs a delivery agent: assign one first",
            Guard::PaidInFull => "the recorded payments must cover the order's total",
            Guard::Expired => "expiry must be switched on, and the order's expiry date must be over",
        }
    }
}

closed_enum! {
    /// What the caller of an action has to supply.
    Need {
        /// Why, in words.
        Reason = "reason",
        /// What failed: category, message, traceback.
        Error = "error",
        /// The order's number typed again, for what cannot be undone.
        Number = "number",
    }
}

closed_enum! {
    /// What else happens in the same database transaction as the move.
    Effect {
        /// Begins an attempt at the order's items; their resources start to change.
        OpenAttempt = "open_attempt",
        /// Ends the running attempts well.
        CloseAttemptOk = "close_attempt_ok",
        /// Ends the running attempts with the error that the caller supplies.
        CloseAttemptFailed = "close_attempt_failed",
        /// The items are delivered and in use.
        ActivateItems = "activate_items",
        /// Ends the items that are active, once.
        TerminateItems = "terminate_items",
        /// Puts the items back to the start; what was terminated stays so.
        ResetItems = "reset_items",
        /// Gives up the items that have not ended; their resources go back to what they were.
        CancelItems = "cancel_items",
        /// Takes today's catalogue prices; the order keeps them from then on.
        FreezePrices = "freeze_prices",
        /// Opens an invoice over the total.
        OpenInvoice = "open_invoice",
        /// Issues the invoice.
        IssueInvoice = "issue_invoice",
        /// Cancels the invoice.
        CancelInvoice = "cancel_invoice",
        /// Gives back whatever was paid.
        RefundPayments = "refund_payments",
        /// Lets the customer read the reason.
        NotifyConsumer = "notify_consumer",
    }
}

closed_enum! {
    /// Whether an action may be taken on many orders at once.
    #[derive(Default)]
    Bulk {
        /// On one order at a time.
        #[default]
        No = "no",
        /// On many, with all effects on each.
        Yes = "yes",
        /// On many, changing the status and running no effect; the event says so.
        StatusOnly = "status_only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_agree() {
        for effect in Effect::ALL {
            assert_eq!(Effect::parse(effect.name()), Some(effect));
            assert_eq!(toml::Value::try_from(effect), Ok(toml::Value::String(effect.name().to_owned())));
        }
        assert_eq!(Category::parse("IN_PROGRESS"), Some(Category::InProgress));
        assert_eq!(Category::parse("in_progress"), None);
    }

    #[test]
    fn guards_speak_in_sentences_without_a_full_stop() {
        for guard in Guard::ALL {
            assert!(!guard.sentence().ends_with('.'), "{}", guard.name());
            assert!(guard.sentence().starts_with(char::is_lowercase), "{}", guard.name());
        }
    }
}
