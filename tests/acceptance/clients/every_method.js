// Every method of MongoClaw 1.0.4's official Node client, against a server: argv is URL, key, database.
// Runs where the package is installed; the last line is what it has seen, as JSON.

const assert = require("node:assert");
const { MongoClawClient } = require("mongoclaw");

const [url, key, database] = process.argv.slice(2);
const agentId = "client-node";

async function firstRun(client) {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const { executions } = await client.listExecutions({ agent_id: agentId });
    if (executions.length) return executions[0];
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("no run of the document");
}

async function main() {
  const client = new MongoClawClient({ baseUrl: url, apiKey: key });
  const config = {
    id: agentId,
    name: "Client",
    watch: { database, collection: "node" },
    ai: { provider: "sandbox", model: "sandbox-1", prompt: "Sort: {{ document.text }}" },
    write: { target_field: "ai" },
  };
  assert.strictEqual((await client.health()).status, "healthy");
  assert.ok((await client.healthDetailed()).components);
  assert.strictEqual(await client.isHealthy(), true);

  assert.strictEqual((await client.validateAgent(config)).valid, true);
  assert.strictEqual((await client.validateAgent({ id: "X" })).valid, false);
  assert.strictEqual((await client.createAgent(config)).id, agentId);
  assert.strictEqual((await client.getAgent(agentId)).name, "Client");
  const listed = await client.listAgents({ enabled_only: true });
  assert.ok(listed.total >= 1 && listed.agents.some((agent) => agent.id === agentId));
  assert.strictEqual((await client.updateAgent(agentId, { name: "New" })).name, "New");
  assert.strictEqual((await client.disableAgent(agentId)).enabled, false);
  assert.strictEqual((await client.enableAgent(agentId)).enabled, true);
  console.log(JSON.stringify({ ready: agentId }));

  const run = await firstRun(client);
  const ended = await client.waitForExecution(run.id, { timeout: 60_000, pollInterval: 200 });
  assert.deepStrictEqual([ended.status, ended.written, ended.document_id], ["completed", true, "1"]);
  assert.ok((await client.getExecution(run.id)).tokens_used > 0);
  assert.strictEqual((await client.listExecutions({ agent_id: agentId, status: "failed" })).total, 0);
  const again = await client.retryExecution(run.id);
  const retried = await client.waitForExecution(again.id, { timeout: 60_000, pollInterval: 200 });
  assert.deepStrictEqual([retried.status, retried.reason], ["completed", "unchanged_input"]);
  const stats = await client.getAgentStats(agentId);
  assert.deepStrictEqual([stats.total_executions, stats.successful_executions], [2, 1]);
  const triggered = await client.triggerAgent(agentId, { _id: 2, text: "Thanks" });
  assert.strictEqual((await client.waitForExecution(triggered.id)).status, "completed");
  assert.strictEqual(await client.deleteAgent(agentId), true);
  console.log(JSON.stringify({ done: agentId, run: run.id }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
