// Every room that the server has, with the number of people in it.

/** @typedef {{ room: string, members: number | null, revision: number }} RoomCount `null`: the room is no more */

export class Directory {
  /** @type {Map<string, RoomCount>} rooms that are gone stay, so that older news of them is recognised */
  #counts = new Map();

  /** @param {RoomCount[]} counts */
  constructor(counts = []) {
    for (const count of counts) this.update(count);
  }

  /** @param {RoomCount} count news, or older news that comes late */
  update(count) {
    const known = this.#counts.get(count.room);
    if (!known || known.revision < count.revision) this.#counts.set(count.room, count);
  }

  get rooms() {
    return [...this.#counts.values()].filter(({ members }) => members !== null).map(({ room }) => room);
  }

  /** @param {string} room */
  has(room) {
    return this.people(room) !== null;
  }

  /**
   * @param {string} room
   * @returns {number | null} how many are in it; `null` when there is no such room
   */
  people(room) {
    return this.#counts.get(room)?.members ?? null;
  }
}
