/** What a plugin says of itself. */

import { storeText } from "./utf8";

/** How payloads reach the plugin. */
export enum PayloadEncoding {
  /** What typed payloads need. */
  Cbor,
  /** Text, read by `event.json()`. */
  Json,
}

/** How people and exports should read a state's values. */
export enum StateEncoding {
  /** What typed values use. */
  Cbor,
  Json,
  Text,
  Bytes,
}

class View {
  constructor(
    public name: string,
    public prefix: string,
    public description: string,
  ) {}
}

/** What a projection says of itself: a name, a version and a sentence, and what it wants to see. */
export class Manifest {
  private types: string[] = [];
  private categoryNames: string[] = [];
  private payloads: PayloadEncoding = PayloadEncoding.Cbor;
  private values: StateEncoding = StateEncoding.Cbor;
  private views: View[] = [];

  /**
   * Says the least: this projection wants every event. `name` is 1 to 64 of `a`-`z`, `0`-`9` and `-`, starting with a
   * letter; `version` is the plugin's own; `description` says in a sentence what it makes.
   */
  constructor(
    private name: string,
    private version: string,
    private description: string,
  ) {}

  /** Asks for these event types only, as upcasters leave them. */
  eventTypes(types: string[]): Manifest {
    this.types = this.types.concat(types);
    return this;
  }

  /** Asks for events of these categories only: the part of a stream's name before the first `/`. */
  categories(names: string[]): Manifest {
    this.categoryNames = this.categoryNames.concat(names);
    return this;
  }

  /** Names the entries whose key starts with `prefix`, for people and exports. */
  view(name: string, prefix: string, description: string): Manifest {
    this.views.push(new View(name, prefix, description));
    return this;
  }

  /** Asks for payloads in another encoding than CBOR. */
  payloadEncoding(encoding: PayloadEncoding): Manifest {
    this.payloads = encoding;
    return this;
  }

  /** Says that values are written in another encoding than CBOR. */
  stateEncoding(encoding: StateEncoding): Manifest {
    this.values = encoding;
    return this;
  }

  /** Writes it as the ABI has it, and returns where. */
  lower(): usize {
    const at = heap.alloc(52);
    storeText(at, this.name);
    storeText(at + 8, this.version);
    storeText(at + 16, this.description);
    storeTexts(at + 24, this.types);
    storeTexts(at + 32, this.categoryNames);
    store<u8>(at + 40, this.payloads);
    store<u8>(at + 41, this.values);
    const views = this.views;
    const list = storeList(at + 44, views.length, 24);
    for (let i = 0; i < views.length; i++) {
      const view = list + <usize>i * 24;
      storeText(view, views[i].name);
      storeText(view + 8, views[i].prefix);
      storeText(view + 16, views[i].description);
    }
    return at;
  }
}

class Step {
  constructor(
    public type: string,
    public schemaVersion: u32,
    public newType: string | null,
  ) {}
}

/** What an upcaster says of itself: a name, a version and a sentence, and the steps that it makes. */
export class UpcasterManifest {
  private steps: Step[] = [];

  /** Says the least, to which at least one step must be added. See `Manifest`. */
  constructor(
    private name: string,
    private version: string,
    private description: string,
  ) {}

  /** Adds the step that lifts an event type from a schema version to the next. */
  step(type: string, schemaVersion: u32): UpcasterManifest {
    this.steps.push(new Step(type, schemaVersion, null));
    return this;
  }

  /** Adds a step that also gives the events a new type. */
  renamingStep(type: string, schemaVersion: u32, newType: string): UpcasterManifest {
    this.steps.push(new Step(type, schemaVersion, newType));
    return this;
  }

  /** Writes it as the ABI has it, and returns where. */
  lower(): usize {
    const at = heap.alloc(36);
    storeText(at, this.name);
    storeText(at + 8, this.version);
    storeText(at + 16, this.description);
    const steps = this.steps;
    const list = storeList(at + 24, steps.length, 24);
    for (let i = 0; i < steps.length; i++) {
      const step = list + <usize>i * 24;
      storeText(step, steps[i].type);
      store<u32>(step + 8, steps[i].schemaVersion);
      const newType = steps[i].newType;
      store<u8>(step + 12, newType !== null);
      if (newType !== null) storeText(step + 16, newType);
    }
    store<u8>(at + 32, PayloadEncoding.Cbor);
    return at;
  }
}

function storeTexts(at: usize, texts: string[]): void {
  const list = storeList(at, texts.length, 8);
  for (let i = 0; i < texts.length; i++) storeText(list + (<usize>i << 3), texts[i]);
}

/** Makes room for a list, notes at `at` where it lies, and returns that. */
function storeList(at: usize, count: i32, size: usize): usize {
  const list = heap.alloc(<usize>count * size);
  store<usize>(at, list);
  store<usize>(at + 4, count);
  return list;
}
