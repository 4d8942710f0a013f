/** Every table by name; each subject describes its own in a file beside this one. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface Tables {}
