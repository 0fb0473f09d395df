//! A row of a workflow.
//!
//! Among the rows that share an action and a status to leave, the first whose `by` meets the
//! viewer's roles and whose `when` holds is taken. A row with `auto` fires by itself, as the system,
//! at the end of any command that leaves the order in a status it starts from, as soon as the guard
//! that `auto` names and `when` both hold.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    definition::is_default,
    vocabulary::{Bulk, Effect, Guard, Need},
};
use crate::{order::ErrorCategory, role::RoleSet};

/// Who may move an order from where to where, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// What callers name it by; rows may share it.
    pub action: String,
    /// Its name for people.
    pub label: String,
    /// The statuses it leaves.
    pub from: Origin,
    /// Where it leads.
    pub to: Target,
    /// Who may take it. An administrator may take whatever staff may.
    pub by: RoleSet,
    /// What must hold of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Guard>,
    /// The condition on which it fires by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto: Option<Guard>,
    /// What the caller has to supply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// What else happens, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// Whether it may be taken on many orders at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bulk: Bulk,
    /// Whether it may be taken in bulk alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bulk_only: bool,
    /// Whether clients should ask for confirmation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub confirm: bool,
    /// Whether the caller may name the lines it concerns; the others stay as they are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub per_item: bool,
    /// What a line may have failed of for work on it to begin again; anything, if nothing is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retryable: Vec<ErrorCategory>,
    /// How many attempts at a line there may be before it does not begin again; any number, if not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
}

/// The statuses that a row leaves: a list of codes, or `"*"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Every status that is not final, those added later too.
    Any,
    /// These.
    Statuses(Vec<String>),
}

/// Where a row leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A status: its code.
    Status(String),
    /// `@failed_stage`: the status in which the last attempt failed.
    FailedStage,
    /// `@chosen`: whichever status of the workflow the caller names.
    Chosen,
    /// `@gone`: nowhere; the order is removed for good.
    Gone,
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Origin::Any => serializer.serialize_str("*"),
            Origin::Statuses(codes) => codes.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OriginVisitor)
    }
}

struct OriginVisitor;

impl<'de> de::Visitor<'de> for OriginVisitor {
    type Value = Origin;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of status codes, or \"*\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Origin, E> {
        match text {
            "*" => Ok(Origin::Any),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut codes: A) -> Result<Origin, A::Error> {
        let mut statuses = Vec::new();
        while let Some(code) = codes.next_element()? {
            statuses.push(code);
        }
        Ok(Origin::Statuses(statuses))
    }
}

impl Target {
    /// The name in definitions: a status code, or a word after `@`.
    pub fn name(&self) -> &str {
        match self {
            Target::Status(code) => code,
            Target::FailedStage => "@failed_stage",
            Target::Chosen => "@chosen",
            Target::Gone => "@gone",
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match [Target::FailedStage, Target::Chosen, Target::Gone].into_iter().find(|to| to.name() == name) {
            Some(target) => Ok(target),
            None if name.starts_with('@') => {
                let message =
                    format!("`{name}` is no target: a status code, @failed_stage, @chosen or @gone is");
                Err(de::Error::custom(message))
            }
            None => Ok(Target::Status(name)),
        }
    }
}
