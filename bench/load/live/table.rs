//! Rows as they can be pasted into `docs/performance.md`: what was measured beside what it must not exceed.

use super::ledger::{Tally, quantile};

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub what: String,
    pub measured: String,
    pub must: &'static str,
    pub aim: &'static str,
}

impl Row {
    /// Something that has no bound of its own.
    pub fn of(what: impl Into<String>, measured: String) -> Row {
        Row { what: what.into(), measured, must: "", aim: "" }
    }

    /// The same, with its bound and the aim behind it.
    pub fn bound(self, must: &'static str, aim: &'static str) -> Row {
        Row { must, aim, ..self }
    }
}

/// The table's head.
pub fn head(title: &str) {
    println!("\n### {title}\n");
    println!("| what | measured | must | aim |");
    println!("|---|---|---|---|");
}

/// Rows, then whether everything came as it was promised.
pub fn print(rows: &[Row], tally: Option<&Tally>) {
    for Row { what, measured, must, aim } in rows {
        println!("| {what} | {measured} | {must} | {aim} |");
    }
    let Some(Tally { delivered, lost, cut_off, repeated, disordered, unasked, ended, why }) = tally else {
        return;
    };
    let all = delivered + lost + cut_off;
    println!(
        "| of {all} deliveries: lost, repeated, out of order, unasked | \
         **{lost}, {repeated}, {disordered}, {unasked}** | 0, 0, 0, 0 | |"
    );
    if *ended > 0 {
        let what = "sockets ended by the server, with so many deliveries to come";
        println!("| {what} | {ended}, {cut_off}: {why} | 0 | |");
    }
}

/// `p50 / p99 / longest ms` of sorted delays.
pub fn spread(delays: &[f64]) -> String {
    let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|part| quantile(delays, part));
    format!("{p50:.1} / **{p99:.1}** / {longest:.1} ms")
}
