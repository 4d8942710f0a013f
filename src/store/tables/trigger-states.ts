/** How event triggers do: counters, the last event and error, what their kind wants to find again. */
export interface TriggerStateTables {
  trigger_states: {
    trigger_id: string
    state_json: string
    updated_at: number
  }
}
