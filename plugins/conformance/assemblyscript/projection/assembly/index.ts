/** The conformance projection in AssemblyScript: see ../../../README.md, the specification. */

import { Event, exportProjection, fail, failed, Fields, Level, log, Manifest, Projection } from "../polyfold/assembly";
import { divide, floats, sum } from "./numbers";
import { echo, fill, large, many, remove, scan, surroundings, text, write, writeParameters } from "./store";

export * from "../polyfold/assembly/exports/projection";

class Conformance extends Projection {
  describe(): Manifest {
    return new Manifest("conformance", "1.0.0", "what every language must make of the same events")
      .eventTypes(["probe"])
      .view("echoes", "echo/", "values as they came");
  }

  apply(events: Event[]): void {
    for (let i = 0; i < events.length && !failed(); i++) applyOne(events[i]);
  }
}

function applyOne(event: Event): void {
  const fields = event.fields();
  const op = fields.text("op");
  if (failed()) return;
  if (op == "echo") echo(fields);
  else if (op == "delete") remove(fields);
  else if (op == "sum") sum(fields);
  else if (op == "divide") divide(fields);
  else if (op == "floats") floats(fields);
  else if (op == "text") text(fields);
  else if (op == "large") large(fields);
  else if (op == "fill") fill(fields);
  else if (op == "scan") scan(event, fields);
  else if (op == "many") many(event, fields);
  else if (op == "write") write(fields);
  else if (op == "context") surroundings(event);
  else if (op == "parameters") writeParameters();
  else if (op == "log") writeLog(fields);
  else if (op == "fail") fail(fields.text("message"));
  else fail(`unknown op ${op}`);
}

const LEVELS = ["trace", "debug", "info", "warn", "error"];

function writeLog(fields: Fields): void {
  const level = LEVELS.indexOf(fields.text("level"));
  if (level < 0) return fail("unknown level");
  log.write(<Level>level, fields.text("message"));
}

exportProjection(new Conformance());
