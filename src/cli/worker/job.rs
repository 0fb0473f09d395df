//! One attempt: claimed, run, kept while it runs, reported.

use std::{pin::pin, sync::Arc, time::Duration};

use ordo::app::{Machine, World};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    api::{Api, Failure, persist},
    hook::{Cancelled, GRACE, Hook},
    report::{Report, report},
};

const CLAIM: &str = "mutation Claim($input: AttemptClaimInput!) { attemptClaim(input: $input) { fence replayed inputs \
    attempt { id number itemId stage inputs } order { id number type version workflowCode externalReference createdAt \
    expiresOn customerNote tags metadata awaitsWorker customer { id name } provider { id name } \
    contact { name email phone } first: items(first: 100) { nodes { ...Line } } \
    last: items(last: 100) { nodes { ...Line } } } errors { code message } } } \
    fragment Line on OrderItem { id position name sku configuration quantity status product { id } \
    resource { id name state backendId } }";
const RENEW: &str = "mutation Renew($input: AttemptRenewInput!) { attemptRenew(input: $input) { leaseUntil \
    errors { code message } } }";
const SUCCEED: &str = "mutation Succeed($input: AttemptSucceedInput!) { attemptSucceed(input: $input) { replayed \
    errors { code message } } }";
const FAIL: &str = "mutation Fail($input: AttemptFailInput!) { attemptFail(input: $input) { replayed \
    errors { code message } } }";
/// For how long a report is tried: by then its lease has long run out.
const REPORTING: Duration = Duration::from_secs(24 * 3_600);

/// What every attempt needs.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) api: Arc<Api>,
    pub(super) hook: Hook,
    pub(super) lease: Duration,
    /// Whether hooks that still run are to be ended.
    pub(super) killed: watch::Receiver<bool>,
}

/// An attempt that this worker holds.
pub(super) struct Claimed {
    attempt: String,
    fence: i64,
    number: i64,
    order: String,
    /// What the hook reads.
    input: String,
    /// When the claim was sent: the lease is at least as long from then, by this machine's clock.
    sent: Instant,
    /// Whether the inputs were told with an answer that never came here.
    lost_inputs: bool,
    /// Whether another attempt at the order waits.
    pub(super) more: bool,
}

impl Job {
    /// Claims an attempt at an order. A claim whose answer was lost is asked for again, by its key.
    pub(super) async fn claim(&self, order: &str) -> Result<Claimed, Failure> {
        let key: String = Machine.seed()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let input = json!({ "order": order, "leaseSeconds": self.lease.as_secs(), "idempotencyKey": key });
        let variables = json!({ "input": input });
        let sent = Instant::now();
        let until = self.safe_until(sent);
        let (_, claimed) = persist(until, || self.api.run("attemptClaim", CLAIM, variables.clone())).await?;
        read(claimed, sent)
            .ok_or_else(|| Failure::Final("the server's answer to a claim is incomplete".to_owned()))
    }

    /// Runs the hook for a claimed attempt and reports how it ended.
    pub(super) async fn carry_out(self, claimed: Claimed) {
        let Claimed { attempt, order, number, .. } = &claimed;
        if Instant::now() >= self.safe_until(claimed.sent) {
            tracing::warn!(order, attempt, number, "the claim was answered too late; its lease runs out");
            return;
        }
        tracing::info!(order, attempt, number, "an attempt begins");
        let (cancel, cancelled) = watch::channel(None);
        let mut killed = self.killed.clone();
        let mut work = pin!(self.work(&claimed, cancelled));
        let mut keep = pin!(self.keep(&claimed));
        let mut stop = pin!(killed.wait_for(|killed| *killed));
        let (mut kept, mut stopping) = (true, false);
        loop {
            let why = tokio::select! {
                () = &mut work => return,
                () = &mut keep, if kept => {
                    kept = false;
                    Cancelled::Lost
                }
                _ = &mut stop, if !stopping => {
                    stopping = true;
                    Cancelled::Stopping
                }
            };
            cancel.send_replace(Some(why));
        }
    }

    async fn work(&self, claimed: &Claimed, cancelled: watch::Receiver<Option<Cancelled>>) {
        let Claimed { attempt, order, number, fence, .. } = claimed;
        if claimed.lost_inputs {
            // They are told once: only who handed them in has them still.
            let message = "the answer that told the worker its inputs was lost: retry with the inputs again";
            let error = json!({ "category": "INFRASTRUCTURE", "message": message });
            return self.tell(claimed, &Report::Failed(error)).await;
        }
        let variables = [
            ("ORDO_ATTEMPT_ID", attempt.clone()),
            ("ORDO_ATTEMPT_NUMBER", number.to_string()),
            ("ORDO_FENCE", fence.to_string()),
            ("ORDO_ORDER_ID", order.clone()),
        ];
        let ended = self.hook.run(claimed.input.clone(), &variables, cancelled).await;
        let Some(report) = report(&ended, self.hook.timeout.as_secs()) else {
            tracing::warn!(order, attempt, "the lease was lost; the program was ended");
            return;
        };
        self.tell(claimed, &report).await;
    }

    async fn tell(&self, claimed: &Claimed, report: &Report) {
        let Claimed { attempt, order, .. } = claimed;
        match self.report(claimed, report).await {
            Ok(()) => tracing::info!(
                order,
                attempt,
                well = matches!(report, Report::Succeeded(_)),
                "an attempt ended"
            ),
            Err(failure) => {
                tracing::error!(order, attempt, %failure, "how the attempt ended could not be reported")
            }
        }
    }

    async fn report(&self, claimed: &Claimed, report: &Report) -> Result<(), Failure> {
        let Claimed { attempt, fence, .. } = claimed;
        let mut input =
            json!({ "attempt": attempt, "fence": fence, "idempotencyKey": format!("{attempt}/{fence}") });
        let (field, document) = match report {
            Report::Succeeded(told) => {
                input["backendId"] = told["backendId"].clone();
                ("attemptSucceed", SUCCEED)
            }
            Report::Failed(error) => {
                input["error"] = error.clone();
                ("attemptFail", FAIL)
            }
        };
        let variables = json!({ "input": input });
        let until = Instant::now() + REPORTING;
        persist(until, || self.api.run(field, document, variables.clone())).await.map(|_| ())
    }

    /// Until when the program may run under a lease that was asked for then: after that it is ended, and has ended
    /// before the lease has.
    fn safe_until(&self, sent: Instant) -> Instant {
        sent + self.lease - GRACE.min(self.lease / 6)
    }

    /// Renews the lease every third of its time; ends when the attempt is lost.
    async fn keep(&self, claimed: &Claimed) {
        let Claimed { attempt, fence, order, .. } = claimed;
        let input = json!({ "attempt": attempt, "fence": fence, "leaseSeconds": self.lease.as_secs() });
        let variables = json!({ "input": input });
        let mut sent = claimed.sent;
        loop {
            sleep_until(sent + self.lease / 3).await;
            let until = self.safe_until(sent);
            let renewed = persist(until, || self.api.run("attemptRenew", RENEW, variables.clone())).await;
            match renewed {
                Ok((then, _)) => sent = then,
                Err(failure) => {
                    tracing::warn!(order, attempt, %failure, "the lease is lost");
                    return;
                }
            }
        }
    }
}

/// What a claim was answered.
fn read(mut claimed: Value, sent: Instant) -> Option<Claimed> {
    let (attempt, fence, inputs) =
        (claimed["attempt"].take(), claimed["fence"].as_i64()?, claimed["inputs"].take());
    let lost_inputs = attempt["inputs"] == "READ" && inputs.is_null();
    let mut order = claimed["order"].take();
    let more = order["awaitsWorker"] == true;
    // An order has at most 200 lines, a page 100: between them, the first and the last hold all.
    let mut lines: Vec<Value> = Vec::new();
    for page in ["first", "last"] {
        for line in order[page]["nodes"].as_array().into_iter().flatten() {
            if lines.iter().all(|known| known["id"] != line["id"]) {
                lines.push(line.clone());
            }
        }
    }
    let line = lines.iter().find(|line| line["id"] == attempt["itemId"])?.clone();
    let fields = order.as_object_mut()?;
    for page in ["first", "last", "awaitsWorker"] {
        fields.remove(page);
    }
    fields.insert("lines".to_owned(), lines.into());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (id, number, order_id) = (text(&attempt["id"])?, attempt["number"].as_i64()?, text(&order["id"])?);
    let told = json!({ "id": id, "number": number, "stage": attempt["stage"], "fence": fence });
    let input = json!({ "attempt": told, "line": line, "order": order, "inputs": inputs }).to_string();
    Some(Claimed { attempt: id, fence, number, order: order_id, input, sent, lost_inputs, more })
}
