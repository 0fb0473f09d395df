//! Workflows, saved by an administrator: one of the proof's own, so that all others stay as they are.

use std::collections::BTreeSet;

use serde_json::json;

use super::Proof;

impl Proof {
    /// Saves a workflow, changes its rules, adds a status and retires it; the fields that were carried out.
    pub async fn save_workflows(&mut self) -> BTreeSet<String> {
        let admin = self.world.viewer("admin").client.clone();
        let who = ("admin", &admin);
        let told = admin.data("{ workflow(code: \"delivery\") { definition } }", json!({})).await;
        let delivery = told["workflow"]["definition"].as_str().expect("a definition");
        let own =
            delivery.replacen("code = \"delivery\"\nversion = 1\nrevision = 1\n", "code = \"proof\"\n", 1);
        let fewer = own.replacen("editable = true\n", "", 1);
        for definition in [own, fewer] {
            self.carry(who, "workflowSave", json!({ "definition": definition })).await;
        }
        let held = json!({ "workflow": "proof", "code": "held", "label": "Held", "category": "PENDING",
            "color": "#7c3aed" });
        self.carry(who, "workflowAddStatus", held).await;
        self.carry(who, "workflowRetireStatus", json!({ "workflow": "proof", "code": "held" })).await;
        ["workflowSave", "workflowAddStatus", "workflowRetireStatus"].map(str::to_owned).into()
    }
}
