//! The closed words of an order: kinds, states and outcomes, with one name each for the database and
//! the API.

use serde::{Deserialize, Serialize};

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }
        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The name in the database and in the API.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
            /// The value of this name.
            pub fn parse(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)* _ => None }
            }
        }
    };
}

named_enum! {
    /// What an order does to its resources.
    OrderKind {
        /// Brings a resource into being.
        Create = "CREATE",
        /// Changes an existing one.
        Update = "UPDATE",
        /// Ends an existing one.
        Terminate = "TERMINATE",
        /// Sells goods; there is no resource.
        Sale = "SALE",
    }
}

named_enum! {
    /// The kind of a product, which decides how its orders are carried out.
    ProductKind {
        /// Carried out by people.
        Basic = "BASIC",
        /// An allocation on a cluster, carried out by people or a site agent.
        Slurm = "SLURM",
        /// A virtual machine.
        Vps = "VPS",
        /// A hosting account.
        Hosting = "HOSTING",
        /// A domain name.
        Domain = "DOMAIN",
        /// Goods that are delivered.
        Physical = "PHYSICAL",
    }
}

named_enum! {
    /// Where one line stands; apart from the order's status.
    ItemStatus {
        /// Nothing has begun.
        Pending = "PENDING",
        /// An attempt is running.
        Provisioning = "PROVISIONING",
        /// Delivered and in use.
        Active = "ACTIVE",
        /// The last attempt failed.
        Failed = "FAILED",
        /// Cancelled before it was active.
        Cancelled = "CANCELLED",
        /// Was active, and has been ended.
        Terminated = "TERMINATED",
    }
}

named_enum! {
    /// The state of a resource.
    ResourceState {
        /// Coming into being.
        Creating = "CREATING",
        /// In use.
        Ok = "OK",
        /// Changing.
        Updating = "UPDATING",
        /// Coming to its end.
        Terminating = "TERMINATING",
        /// The last attempt on it failed.
        Erred = "ERRED",
        /// Gone.
        Terminated = "TERMINATED",
    }
}

named_enum! {
    /// How an attempt ended.
    Outcome {
        /// It has not ended.
        Running = "RUNNING",
        /// It delivered.
        Succeeded = "SUCCEEDED",
        /// It failed.
        Failed = "FAILED",
        /// The order was cancelled or reset under it.
        Abandoned = "ABANDONED",
    }
}

named_enum! {
    /// What became of the inputs that an attempt was begun with.
    InputsState {
        /// Sealed, until a worker claims the attempt.
        Sealed = "SEALED",
        /// Handed to the worker that claimed the attempt, and destroyed.
        Read = "READ",
        /// Destroyed unread: the attempt ended before a worker claimed it.
        Destroyed = "DESTROYED",
    }
}

named_enum! {
    /// What a failure was due to, as told by whoever reports it.
    ErrorCategory {
        /// Not enough of a resource.
        Capacity = "CAPACITY",
        /// The order or offering is configured wrongly.
        Configuration = "CONFIGURATION",
        /// The provisioning machinery failed.
        Infrastructure = "INFRASTRUCTURE",
        /// Anything else, and what is not told.
        Other = "OTHER",
    }
}

named_enum! {
    /// The state of an invoice.
    InvoiceState {
        /// Opened, may still change.
        Open = "OPEN",
        /// Issued and to be paid.
        Issued = "ISSUED",
        /// Covered by payments.
        Paid = "PAID",
        /// Cancelled.
        Cancelled = "CANCELLED",
        /// Paid once, and given back.
        Refunded = "REFUNDED",
    }
}

named_enum! {
    /// How money came in.
    PaymentMethod {
        /// Cash.
        Cash = "CASH",
        /// Card.
        Card = "CARD",
        /// Bank transfer.
        Transfer = "TRANSFER",
        /// Card terminal at the counter or door.
        Pos = "POS",
    }
}
