/** The VM cannot be had, or does not answer: one line that says what to do. */
export class VmProblem extends Error {}
