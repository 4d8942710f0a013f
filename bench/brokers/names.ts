/** What the function reads, and where its answers go. */
export const EVENTS = 'events'
export const ANSWERS = 'answers'
