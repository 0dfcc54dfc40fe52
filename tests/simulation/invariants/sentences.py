"""What holds, each as a name and a sentence. README.md has the same."""

import typing as t

ONE_HOLDER = "one_holder"
EPOCHS_RISE = "epochs_rise"
FENCED = "fenced"
LATER_STAYS = "later_stays"
LOOKED_FIRST = "looked_first"
STAYS_BACK = "stays_back"
LOCK_IS_KEPT = "lock_is_kept"
LOST_IS_LOST = "lost_is_lost"
BEGINS_NOTHING = "begins_nothing"
STAYS_KILLED = "stays_killed"
STAYS_OFF = "stays_off"
STEP_BY_STEP = "step_by_step"
ONE_ACT = "one_act"
GUARD_LOWERS = "guard_lowers"
GUARD_WAITS = "guard_waits"
PINNED_FIRST = "pinned_first"
PINS_ARE_OLD = "pins_are_old"
SAVED_FIRST = "saved_first"
NOT_AGAIN = "not_again"
BACK_AT_PINS = "back_at_pins"
PHASES_LAST = "phases_last"
CAPACITY = "capacity"
TRUE_CLAIMS = "true_claims"
CHANNELS_ARE_TRUE = "channels_are_true"
APPLIED_ONCE = "applied_once"
NEVER_HALF = "never_half"
DONE_IS_DONE = "done_is_done"
HOLDS_NOBODY_UP = "holds_nobody_up"
TRIES_AGAIN = "tries_again"
BACKUP_COUNTS = "backup_counts"
RESTORES_BEFORE = "restores_before"
NOTHING_LEFT = "nothing_left"
REHEARSED_FIRST = "rehearsed_first"
COPY_GOES = "copy_goes"
RESTORED_WHOLE = "restored_whole"
NEVER_GONE = "never_gone"
RESTORE_ENDS = "restore_ends"
GOES_ON = "goes_on"
ALWAYS_WORKS = "always_works"
NOTHING_LOST = "nothing_lost"
OWN_LOCK = "own_lock"
ASKS_FIRST = "asks_first"
WATCH_PASSES = "watch_passes"
WATCH_GOES_BACK = "watch_goes_back"
LOCK_COMES_BACK = "lock_comes_back"
PIN_KEEPS = "pin_keeps"
IN_ORDER = "in_order"
LATEST_GOES_ON = "latest_goes_on"
FLAGS_STAND = "flags_stand"
FROZEN = "frozen"
POD_BY_POD = "pod_by_pod"
OTHERS_STAY = "others_stay"
NOT_UNDONE = "not_undone"
NOT_BEFORE = "not_before"
OWN_STEP = "own_step"
NOT_IN_VAIN = "not_in_vain"
AS_ASKED = "as_asked"
NO_SURPRISE = "no_surprise"
LIVENESS = "liveness"
LOOKS_AGAIN = "looks_again"
WATCHED_AGAIN = "watched_again"
LOSS_IS_TOLD = "loss_is_told"
OUTLIVES = "outlives"
LATER_FIRST = "later_first"

SENTENCES: t.Mapping[str, str] = {
    ONE_HOLDER: "An epoch of the deploy lock belongs to one run for ever.",
    EPOCHS_RISE: "The epoch of the lock and the fence on an object only rise: no earlier holder overwrites a later.",
    FENCED: "What a run that holds the lock writes carries its epoch, and so does all it returns.",
    LATER_STAYS: "No earlier holder of the lock writes record, pins or flags after a later one.",
    LOOKED_FIRST: "No run releases over a template or a function that somebody else wrote since it looked.",
    STAYS_BACK: "No run that lost the lock releases a service after its release was rolled back.",
    LOCK_IS_KEPT: "The lock of a run that lives, or one set by hand, ends only by force or to undo a deployment.",
    LOST_IS_LOST: "A run that nothing stops writes no Deployment, record or flags six seconds after it lost the lock.",
    BEGINS_NOTHING: "A run that lost the lock begins no task that writes, but to watch, let users out, start services.",
    ASKS_FIRST: "Before each migration a run sees its lock and no freeze, and before a restore goes live its lock.",
    OWN_LOCK: "The lock is renewed by its holder and its keeper alone.",
    LOCK_COMES_BACK: "The lock of a run is free 15 seconds after its end; a run that waits gets it, no keeper is left.",
    FROZEN: "Six seconds after a freeze was set, no run locks to deploy, releases a service or turns the feature on.",
    NOTHING_LOST: "Lock, record, pins and flags are written over the version that was read last, and over no other.",
    LOOKS_AGAIN: "What was refused since another had written it is read again before it is written again.",
    LOSS_IS_TOLD: "A run that lost the lock, and whose rollout another replaced, is told that it lost the lock.",
    STAYS_KILLED: "A kill switch that is set stays set until somebody resets it, and what it holds off stays off.",
    STAYS_OFF: "No run that held the lock before or beside a way back turns on what that has switched off.",
    STEP_BY_STEP: "The percentage rises by one step of its schedule at a time.",
    ONE_ACT: "The guard acts once for each cause and misses none, however many look, and for none that did not fire.",
    GUARD_LOWERS: "The guard only takes users out: by a step down after the last had its time, or by the kill switch.",
    GUARD_WAITS: "No guard tells people of pods while an act of a guard or a kill switch is on its way to them.",
    PINNED_FIRST: "No service is released before what ran is pinned.",
    PINS_ARE_OLD: "A pin, and what is saved of a function, is what ran before the release, however often begun.",
    SAVED_FIRST: "No run that has the lock replaces or deletes a function before the record has what ran.",
    NOT_AGAIN: "No function is deployed again that runs with these sources and settings already.",
    OTHERS_STAY: "A write changes no flag that it was not asked for.",
    NOT_BEFORE: "The percentage rises on its day, and is watched only of a feature that is on.",
    OWN_STEP: "A step is left upwards after a good watch of its own, or by a person's word about its own hold.",
    WATCHED_AGAIN: "A step of the ramp that is held, in breach or unwatched is watched again, and never called good.",
    PIN_KEEPS: "What a release replaces is what its pin keeps.",
    IN_ORDER: "A phase is begun when all before it are done.",
    LATEST_GOES_ON: "No release begins beside an unfinished one or goes on below a later one, but by a person's word.",
    FLAGS_STAND: "No phase goes on while a switch that no person set holds off what its release turned on.",
    BACK_AT_PINS: "What a rollback says has returned is as it was pinned or saved, to the byte.",
    NOT_UNDONE: "Nothing is undone that the release did not write.",
    PHASES_LAST: "The record never loses a finished phase, an attempt, a note or a fact, and attempts only rise.",
    LATER_FIRST: "What is undone takes back later waves that were released after it, and these go back first.",
    OUTLIVES: "No rollout is called done whose new pods all fail their liveness probe.",
    CAPACITY: "We end a ready pod only while no other of its Deployment is missing, but those on a node out of reach.",
    TRUE_CLAIMS: "What a task says is so: image, flags, each pod's environment, lock, phase, note, a passed deadline.",
    CHANNELS_ARE_TRUE: "Status and page say the versions, pods, flags, switch, lock and verdict that stand, and agree.",
    APPLIED_ONCE: "A migration is begun and applies once, also beside others; a run that says it applied it did.",
    NEVER_HALF: "A migration that the database's history has is there whole; one that it lacks has left nothing.",
    DONE_IS_DONE: "What the record calls a finished phase is finished: databases, bucket, functions.",
    HOLDS_NOBODY_UP: "No statement of a migration waits for a lock longer than its lock_timeout, nor those behind it.",
    TRIES_AGAIN: "A migration that is a transaction gives up for another's lock only after all of its tries.",
    BACKUP_COUNTS: "A backup with its manifest is there to the byte, can be read to its end, and has the rows it says.",
    RESTORES_BEFORE: "The restore point of a database is from before the first migration of the release's attempt.",
    NOTHING_LEFT: "No upload and no dump without its manifest is left, but by a lost machine or a late request.",
    REHEARSED_FIRST: "A release applies only what it applied to a copy before, in which all queries were right.",
    COPY_GOES: "The copy in which migrations were rehearsed is gone when the deployment is done, whatever was killed.",
    RESTORED_WHOLE: "What a restore puts in the place of a database is the backup: every row, constraint and index.",
    NEVER_GONE: "A database stands under its name at every moment; nothing is dropped that ever served, nor another's.",
    RESTORE_ENDS: "A restore that is done leaves no database closed, no copy and no service down, whatever was killed.",
    GOES_ON: "When all is well again, the same command finishes what was left, or names what a person must settle.",
    POD_BY_POD: "What a task says of the flags in a pod is what that pod runs with; one it cannot ask fails it.",
    NOT_IN_VAIN: "A pod is ended for its flags only while the ConfigMap has what it lacks.",
    AS_ASKED: "The percentage that the ramp says is set, and is the one that it was asked for.",
    ALWAYS_WORKS: "If at most one call fails, kill switch and rollback work beside any other run, a deployment alone.",
    WATCH_PASSES: "A watch passes after all of its time, good at the end, or by a person's word about its hold.",
    WATCH_GOES_BACK: "A watch goes back for a breach that there was or a person's reject, and for each that lasts.",
    NO_SURPRISE: "No task ends by an unexpected error.",
    LIVENESS: "Everything comes to an end.",
}
"""By the name under which a broken one is reported."""
