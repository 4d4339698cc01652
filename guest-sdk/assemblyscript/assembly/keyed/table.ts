/** A batch's distinct keys, each with its place, in the order in which they first come. */

export class Table {
  /** How many keys there are. */
  count: i32 = 0;
  /** How many UTF-16 units they have together. */
  units: usize = 0;
  private keys: StaticArray<string> = new StaticArray<string>(64);
  private hashes: StaticArray<u32> = new StaticArray<u32>(64);
  /** Places plus one by hash, open addressing; a power of two, at most half full. */
  private slots: StaticArray<u32> = new StaticArray<u32>(128);

  key(place: u32): string {
    return unchecked(this.keys[place]);
  }

  /** Returns the key's place, a new one if it has none. */
  place(key: string): u32 {
    const hash = hashOf(key);
    const mask = <u32>this.slots.length - 1;
    let slot = hash & mask;
    while (true) {
      const taken = unchecked(this.slots[slot]);
      if (taken == 0) break;
      const place = taken - 1;
      if (unchecked(this.hashes[place]) == hash && unchecked(this.keys[place]) == key) return place;
      slot = (slot + 1) & mask;
    }
    const place = this.count++;
    if (<u32>this.count > mask >> 1) this.grow();
    unchecked((this.keys[place] = key));
    unchecked((this.hashes[place] = hash));
    this.units += key.length;
    this.enter(place, hash);
    return place;
  }

  private enter(place: u32, hash: u32): void {
    const mask = <u32>this.slots.length - 1;
    let slot = hash & mask;
    while (unchecked(this.slots[slot]) != 0) slot = (slot + 1) & mask;
    unchecked((this.slots[slot] = place + 1));
  }

  private grow(): void {
    const size = this.slots.length;
    const before = size >> 1;
    const keys = new StaticArray<string>(size);
    const hashes = new StaticArray<u32>(size);
    memory.copy(changetype<usize>(keys), changetype<usize>(this.keys), before * sizeof<usize>());
    memory.copy(changetype<usize>(hashes), changetype<usize>(this.hashes), before << 2);
    this.keys = keys;
    this.hashes = hashes;
    this.slots = new StaticArray<u32>(size << 1);
    for (let place = 0; place < before; place++) this.enter(place, unchecked(hashes[place]));
  }
}

/** Hashes by a fixed function: the order of the keys never follows it. */
function hashOf(key: string): u32 {
  let hash: u64 = key.length;
  let at = changetype<usize>(key);
  const end = at + (<usize>key.length << 1);
  for (; at + 8 <= end; at += 8) hash = (rotl(hash, 5) ^ load<u64>(at)) * 0x517c_c1b7_2722_0a95;
  for (; at < end; at += 2) hash = (rotl(hash, 5) ^ load<u16>(at)) * 0x517c_c1b7_2722_0a95;
  return <u32>(hash >> 32);
}
