//! Figures and how they are printed: as tables that can be pasted into `docs/performance.md`.

/// What one server came to in one case.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// Milliseconds of CPU per request.
    pub server: f64,
    pub database: f64,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub statements: u64,
    pub ordo: Figures,
    pub other: Figures,
}

impl Figures {
    /// The median of each figure by itself.
    pub fn median(rounds: &[Figures]) -> Figures {
        let of = |figure: fn(&Figures) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Figures {
            per_second: of(|round| round.per_second),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            server: of(|round| round.server),
            database: of(|round| round.database),
        }
    }

    fn cpu(&self) -> f64 {
        self.server + self.database
    }
}

/// Prints all cases of one database, beside a server of this name.
pub fn print(title: &str, other: &str, rows: &[Row], resident: f64) {
    println!("\n### {title}\n");
    println!(
        "| case | | requests/s | p50 ms | p99 ms | CPU ms server | CPU ms database | CPU to {other} | server's alone | statements |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let (all, own) = (row.ordo.cpu() / row.other.cpu(), row.ordo.server / row.other.server);
        line(row.name, "Ordo", &row.ordo, &format!("**{all:.2}** | {own:.2}"), &row.statements.to_string());
        line("", other, &row.other, "1 | 1", "");
    }
    println!("\nMemory of the idle server: {resident:.1} MB.");
}

fn line(case: &str, who: &str, figures: &Figures, ratios: &str, statements: &str) {
    let Figures { per_second, p50, p99, server, database } = figures;
    println!(
        "| {case} | {who} | {per_second:.0} | {p50:.1} | {p99:.1} | {server:.3} | {database:.3} | {ratios} | {statements} |"
    );
}
