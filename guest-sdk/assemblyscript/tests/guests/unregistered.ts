/** A plugin whose author forgot to say which projection it is. */

export * from "../polyfold/assembly/exports/projection";
