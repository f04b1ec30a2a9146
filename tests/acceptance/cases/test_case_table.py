"""Which test shows which acceptance case, and what this release leaves out."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[2]


@dataclass(frozen=True)
class Case:
    """One acceptance case."""

    name: str
    promise: str
    shown: tuple[str, ...] = ()
    """Tests, as file::function."""
    left_out: str = ""
    """What of it is not in this release, and why."""


CASES = (
    Case(
        "A1",
        "Updates to objects of any age arrive",
        ("acceptance/test_event_feed.py::test_a_changed_object_costs_a_feed_page_and_a_retrieve",),
    ),
    Case(
        "A2",
        "Rows have the pinned version's shape, whatever version events have",
        (
            "acceptance/cases/test_a.py::test_a02_a_payload_of_an_old_version_never_becomes_a_row",
            "acceptance/test_event_feed.py::test_rows_come_from_a_new_read_never_from_the_payload",
        ),
    ),
    Case(
        "A3",
        "Updates null no column that the first load filled",
        (
            "acceptance/cases/test_a.py::test_a03_an_update_gives_the_same_keys_and_nulls_as_a_first_load",
            "acceptance/cases/test_a.py::test_a03_what_is_only_shown_expanded_survives_an_update",
            "acceptance/cases/test_a.py::test_a03_what_the_selection_drops_is_not_expanded",
        ),
    ),
    Case(
        "A4",
        "A gap longer than Stripe keeps events is read anew",
        ("acceptance/test_event_feed.py::test_a_gap_longer_than_events_are_kept_is_read_anew",),
    ),
    Case(
        "A5",
        "What becomes visible late is not passed by",
        (
            "acceptance/cases/test_a.py::test_a05_late_events_are_read_by_the_next_run",
            "acceptance/test_sync.py::test_a_later_run_writes_only_what_is_new",
            "acceptance/test_sync.py::test_bookmarks_stay_behind_stripes_clock",
        ),
    ),
    Case(
        "A6",
        "The bookmark's second neither loses nor repeats rows",
        (
            "acceptance/cases/test_a.py::test_a06_the_second_of_the_bookmark_gives_each_row_once",
            "acceptance/test_sync.py::test_an_idle_second_run_writes_no_row",
            "unit/sync/state/test_format.py::test_recent_digests_stay_few",
        ),
    ),
    Case(
        "A7",
        "An older snapshot never overwrites a newer row",
        (
            "acceptance/cases/test_a.py::test_a07_the_order_of_events_of_one_second_does_not_matter",
            "unit/sync/plan/test_events.py::test_many_events_of_one_object_are_one_change_in_any_order",
        ),
    ),
    Case(
        "A8",
        "Changes during the first load are picked up",
        (
            "acceptance/cases/test_a.py::test_a08_a_change_behind_the_reader_comes_with_the_next_run",
            "acceptance/test_event_feed.py::test_a_change_during_the_first_load_is_not_lost",
        ),
    ),
    Case(
        "A9",
        "Every event type counts, also those nobody knows yet",
        (
            "acceptance/cases/test_a.py::test_a09_every_published_event_type_of_a_stream_brings_its_object",
            "acceptance/test_event_feed.py::test_an_invented_event_type_triggers_a_new_read",
        ),
    ),
    Case(
        "A10",
        "No request names more event types than Stripe takes",
        ("acceptance/cases/test_a.py::test_a10_the_feed_is_asked_for_without_types",),
    ),
    Case(
        "A11",
        "No row lands in another object's stream",
        (
            "acceptance/cases/test_a.py::test_a11_a_refund_in_an_event_of_a_charge_is_no_charge",
            "unit/sync/plan/test_events.py::test_a_refund_goes_to_its_charge_and_nowhere_else",
            "acceptance/test_sync.py::test_every_record_fits_its_schema_and_stream",
        ),
        "the refund's own row: there is no stream of refunds yet",
    ),
    Case(
        "A12",
        "Objects that change without events do not go stale",
        ("acceptance/cases/test_a.py::test_a12_objects_that_change_unseen_are_listed_again",),
        "no stream of this release is such; shown on coupons declared to be so",
    ),
    Case(
        "A13",
        "A refund without an event of its own arrives",
        (
            "acceptance/cases/test_a.py::test_a13_a_refund_told_of_only_by_its_charge_updates_the_charge",
            "acceptance/test_event_feed.py::test_a_dispute_re_reads_its_charge",
        ),
        "the refund's own row: there is no stream of refunds yet",
    ),
    Case(
        "A14",
        "Deletions are marked",
        (
            "acceptance/test_event_feed.py::test_a_deleted_object_is_marked_once",
            "acceptance/test_event_feed.py::test_a_deletion_within_the_overlap_is_told_once",
        ),
    ),
    Case(
        "A15",
        "A deleted customer keeps its columns",
        (
            "acceptance/cases/test_a.py::test_a15_a_deleted_customer_keeps_its_columns",
            "acceptance/test_event_feed.py::test_a_deleted_object_is_marked_once",
        ),
        "a setting that blanks personal data of deleted customers",
    ),
    Case(
        "A16",
        "The end of a subscription is no deletion",
        ("acceptance/test_event_feed.py::test_the_end_of_a_subscription_is_no_deletion",),
    ),
    Case(
        "A17",
        "Cancelled subscriptions are listed",
        ("acceptance/cases/test_a.py::test_a17_subscriptions_of_all_eight_statuses_arrive",),
    ),
    Case(
        "A20",
        "A read that fails never falls back to the payload",
        ("acceptance/test_event_feed.py::test_a_read_that_keeps_failing_leaves_the_bookmark",),
    ),
    Case(
        "A21",
        "Previews without an id stay in events",
        (
            "acceptance/cases/test_a.py::test_a21_a_preview_without_an_id_is_not_looked_for",
            "acceptance/test_sync.py::test_a_preview_without_an_id_stays_in_events",
        ),
    ),
    Case(
        "A22",
        "What another object's event changes is read again",
        (
            "acceptance/test_event_feed.py::test_a_dispute_re_reads_its_charge",
            "unit/sync/plan/test_events.py::test_a_dispute_touches_its_charge_named_or_embedded",
        ),
        "the dispute's own row: there is no stream of disputes yet",
    ),
    Case(
        "A23",
        "What rows refer to is there, whatever the start date",
        (
            "acceptance/cases/test_a.py::test_a23_what_rows_refer_to_is_there_despite_the_start_date",
            "acceptance/test_sync.py::test_what_others_refer_to_ignores_the_start_date",
        ),
        "products and tax rates have no streams yet",
    ),
    Case(
        "A24",
        "Rows without a creation time pass",
        (
            "acceptance/cases/test_a.py::test_a24_a_row_without_a_creation_time_passes",
            "unit/sync/plan/test_windows.py::test_rows_without_a_time_are_kept_and_claim_nothing",
            "unit/sync/emit/test_records.py::test_rows_without_a_time_or_mode_are_sent",
        ),
    ),
    Case(
        "A25",
        "Events are never replaced",
        ("acceptance/cases/test_a.py::test_a25_events_are_never_replaced",),
    ),
    Case(
        "A26",
        "Bookmarks move on, idle or busy",
        (
            "acceptance/cases/test_a.py::test_a26_ten_idle_days_move_every_bookmark",
            "acceptance/cases/test_a.py::test_a26_twenty_five_busy_days_are_claimed_day_by_day",
        ),
        "events by the hundred thousand: shown on a thousand",
    ),
    Case(
        "A27",
        "A dense second is read whole while windows are split",
        (
            "acceptance/cases/test_a.py::test_a27_a_cursor_stays_with_the_filter_it_came_from",
            "unit/sync/plan/test_windows.py::test_the_filter_outlives_a_split",
            "acceptance/test_sync.py::test_a_second_dense_with_rows_is_read_whole",
        ),
    ),
    Case(
        "B1",
        "Nested lists come whole",
        (
            "acceptance/cases/test_b.py::test_b01_long_nested_lists_are_completed_in_every_run",
            "acceptance/test_sync.py::test_lists_cut_at_ten_are_completed",
        ),
        "refunds of a charge, entitlements, lines of credit notes: no such streams yet",
    ),
    Case(
        "B2",
        "Rows beyond the embedded ten are like the others",
        ("acceptance/cases/test_b.py::test_b02_rows_beyond_the_embedded_ten_are_alike",),
    ),
    Case(
        "B3",
        "One event gives all children of its object",
        ("acceptance/cases/test_b.py::test_b03_one_event_with_three_lines_gives_three_rows",),
    ),
    Case(
        "B4",
        "Items that left a subscription are marked",
        (
            "acceptance/test_event_feed.py::test_an_item_that_left_its_subscription_is_marked",
            "unit/sync/plan/test_events.py::test_items_that_were_there_before_are_remembered",
        ),
    ),
    Case(
        "B5",
        "Lines are told apart by their invoice, temporary ones are marked",
        (
            "acceptance/test_sync.py::test_equal_line_ids_of_two_invoices_are_two_rows",
            "acceptance/test_event_feed.py::test_a_drafts_temporary_lines_are_marked_when_it_is_finalized",
        ),
    ),
    Case(
        "B6",
        "Old payload shapes and children without id do no harm",
        (
            "acceptance/cases/test_b.py::test_b06_the_shape_of_old_payloads_and_lines_without_id_do_no_harm",
            "unit/sync/emit/test_records.py::test_no_damage_to_a_nested_list_raises",
        ),
    ),
    Case(
        "B11",
        "Links that moved arrive at their new places",
        ("acceptance/cases/test_b.py::test_b11_links_arrive_where_the_pinned_version_has_them",),
        "columns such as subscription_id are not part of the record format, which has Stripe's "
        "names and nesting; there is no stream of invoice payments yet",
    ),
    Case(
        "B15",
        "No stream needs the permission of another",
        ("acceptance/cases/test_b.py::test_b15_nothing_is_ever_expanded",),
        "falling back from an expanded call: nothing is expanded",
    ),
    Case(
        "C1",
        "429 is waited out, by all readers",
        (
            "acceptance/cases/test_c.py::test_c01_retry_after_is_waited_for",
            "acceptance/cases/test_c.py::test_c01_without_retry_after_all_readers_slow_down",
            "unit/api/test_rate_limit.py::test_a_backoff_delays_all_threads",
        ),
    ),
    Case(
        "C2",
        "The budget holds over readers, streams and accounts",
        (
            "acceptance/cases/test_c.py::test_c02_no_second_holds_more_requests_than_configured",
            "unit/api/test_rate_limit.py::test_no_second_exceeds_the_rate",
            "unit/test_settings.py::test_the_default_rate_is_half_of_the_limit",
        ),
        "the slower budget of Files: there is no stream of files yet",
    ),
    Case(
        "C3",
        "Lock timeouts and conflicts pass; what Stripe calls final is final",
        (
            "acceptance/cases/test_c.py::test_c03_lock_timeout_and_conflict_are_passing",
            "acceptance/cases/test_c.py::test_c03_what_stripe_says_not_to_retry_is_not_retried",
        ),
    ),
    Case(
        "C4",
        "Damaged answers cost no row",
        (
            "acceptance/cases/test_c.py::test_c04_damaged_pages_are_asked_for_again",
            "acceptance/test_event_feed.py::test_passing_faults_cost_no_row",
        ),
    ),
    Case(
        "C5",
        "Pages that are too large come in smaller ones",
        ("acceptance/cases/test_c.py::test_c05_a_list_that_fails_above_thirty_rows",),
    ),
    Case(
        "C6",
        "Credential errors end the run at once",
        (
            "acceptance/cases/test_c.py::test_c06_credential_errors_end_at_once",
            "acceptance/test_bad_input.py::test_a_wrong_key",
            "acceptance/test_bad_input.py::test_a_publishable_key",
        ),
    ),
    Case(
        "C7",
        "A missing permission costs its stream alone and is named",
        (
            "acceptance/test_bad_input.py::test_a_missing_permission",
            "acceptance/test_summary.py::test_everything_that_was_skipped_is_told",
            "acceptance/cases/test_g.py::test_g13_the_exit_code_says_whether_all_was_read",
        ),
    ),
    Case(
        "C8",
        "A product that is not enabled is skipped",
        (
            "acceptance/test_summary.py::test_a_product_that_is_not_enabled_is_one_information",
            "acceptance/test_summary.py::test_stripes_words_count_only_where_the_product_lives",
        ),
    ),
    Case(
        "C9",
        "A parent that vanishes is skipped and counted",
        (
            "acceptance/test_summary.py::test_parents_that_vanish_are_left_out_and_counted",
            "acceptance/test_summary.py::test_other_404s_are_errors",
        ),
    ),
    Case(
        "C10",
        "A cursor that died restarts its window",
        (
            "acceptance/test_event_feed.py::test_a_cursor_that_died_restarts_its_window",
            "acceptance/cases/test_c.py::test_c10_a_list_whose_cursor_aged_out_ends_there",
        ),
    ),
    Case(
        "C11",
        "A server that never answers ends in a clear failure",
        ("acceptance/test_bad_input.py::test_a_server_that_never_answers",),
    ),
    Case(
        "C12",
        "Lists that never end are noticed",
        (
            "acceptance/test_bad_input.py::test_a_list_that_never_ends",
            "acceptance/cases/test_c.py::test_c12_a_list_that_refuses_its_own_cursors_ends",
        ),
    ),
    Case(
        "C13",
        "A strict Stripe refuses no request",
        (
            "acceptance/cases/test_c.py::test_c13_a_strict_stripe_refuses_no_request",
            "acceptance/test_sync.py::test_requests_to_a_list_carry_the_parameters_of_the_table",
        ),
    ),
    Case(
        "C14",
        "Children that Stripe refuses to list are skipped",
        left_out="usage of metered items and lines of checkout sessions have no streams yet",
    ),
    Case(
        "D1",
        "A key that may not read `/v1/account` is enough",
        (
            "acceptance/cases/test_d.py::test_d01_a_key_that_may_not_ask_who_it_is_reads_all_the_same",
            "acceptance/test_sync.py::test_an_account_that_stripe_does_not_name_has_a_fixed_name",
        ),
    ),
    Case(
        "D2",
        "One configuration reads the platform and its accounts",
        (
            "acceptance/cases/test_d.py::test_d02_one_configuration_reads_the_platform_and_its_accounts",
        ),
        "patterns of accounts: they are named, all, or excluded by name",
    ),
    Case(
        "D3",
        "No page of accounts is missed",
        ("acceptance/cases/test_d.py::test_d03_all_pages_of_accounts_are_read_once",),
    ),
    Case(
        "D4",
        "Ids that users chose do not collide",
        (
            "acceptance/cases/test_d.py::test_d04_ids_that_users_chose_do_not_collide",
            "acceptance/test_discovery.py::test_the_catalog_says_what_targets_rely_on",
        ),
    ),
    Case(
        "D5",
        "Accounts come, go and return",
        (
            "acceptance/cases/test_d.py::test_d05_accounts_come_go_and_return",
            "acceptance/test_sync.py::test_an_account_added_later_gets_its_history",
        ),
    ),
    Case(
        "D6",
        "A revoked account stops no other",
        (
            "acceptance/cases/test_d.py::test_d06_a_revoked_account_stops_no_other",
            "acceptance/test_bad_input.py::test_an_account_that_is_not_connected",
            "acceptance/test_bad_input.py::test_on_account_error_warn_lets_the_run_succeed",
        ),
    ),
    Case(
        "D7",
        "Thousands of idle accounts cost a request each, and little memory",
        (
            "acceptance/cases/test_d.py::test_d07_five_thousand_idle_accounts_cost_a_request_each",
            "unit/sync/state/test_format.py::test_a_platform_of_level_accounts_has_a_small_state",
            "acceptance/test_accounts.py::test_shards_read_each_account_once",
        ),
        "with the platform itself among the accounts: it costs its own poll and one lookup more",
    ),
    Case(
        "D8",
        "Accounts are listed once, for the platform only",
        ("acceptance/cases/test_d.py::test_d08_no_connected_account_is_asked_for_accounts",),
    ),
    Case(
        "D9",
        "A long load does not hold up what changed elsewhere",
        (
            "acceptance/cases/test_d.py::test_d09_a_long_load_does_not_hold_up_what_changed",
            "acceptance/test_event_feed.py::test_a_second_account_does_not_wait_for_the_first",
        ),
        "a million charges: shown on thirty thousand; "
        "a budget of time for a run: a signal ends it at any moment",
    ),
    Case(
        "D10",
        "A key of the wrong kind ends the run at once",
        (
            "acceptance/cases/test_d.py::test_d10_a_key_of_the_wrong_kind_ends_at_once",
            "acceptance/test_accounts.py::test_a_first_account_that_is_lost_costs_only_itself",
        ),
    ),
    Case(
        "D11",
        "An organisation's key reads the accounts that are named",
        (
            "acceptance/cases/test_d.py::test_d11_an_organisations_key_reads_the_accounts_it_names",
            "acceptance/cases/test_d.py::test_d11_an_organisations_key_alone_asks_for_nothing",
            "unit/test_settings.py::test_errors_of_an_organization_key_are_reported_together",
        ),
    ),
    Case(
        "D12",
        "A code of another client, mode or kind is explained",
        (
            "connect/test_sitting.py::test_a_foreign_client_id_is_explained",
            "connect/test_sitting.py::test_another_mode_is_not_saved",
            "connect/test_oauth.py::test_codes_are_refused_with_a_reason",
        ),
    ),
    Case(
        "D13",
        "A code is redeemed once, whatever happens",
        (
            "browser/test_connect.py::test_coming_back_twice",
            "connect/test_sitting.py::test_parallel_answers_are_one_exchange",
            "connect/test_oauth.py::test_a_lost_answer_is_not_asked_for_again",
            "connect/test_oauth.py::test_a_second_exchange_cuts_the_connection",
        ),
    ),
    Case(
        "D14",
        "Nothing has to be copied by hand",
        (
            "browser/test_connect.py::test_the_first_connection",
            "browser/test_meltano_run.py::test_connected_and_run",
            "connect/test_store.py::test_new_files_are_the_owners",
            "connect/test_store.py::test_accounts_are_merged",
            "connect/test_commands_terminal.py::test_pasting_the_address_connects",
        ),
        "a bare code is refused: without its state anybody could have sent it",
    ),
    Case(
        "D15",
        "A wrong state, a denial, an unknown redirect and a taken port each have their sentence",
        (
            "browser/test_connect.py::test_a_wrong_state",
            "browser/test_connect.py::test_a_denial",
            "connect/test_oauth.py::test_preflight_says_what_the_browser_would_show",
            "connect/test_loopback.py::test_a_taken_port_is_refused",
        ),
        "a denial exits 3, so that scripts can tell it from a failure",
    ),
    Case(
        "D16",
        "Only what Stripe allows platforms is asked for, and nothing is ever changed",
        (
            "connect/test_oauth.py::test_the_link_asks_for_what_platforms_may_have",
            "connect/test_oauth.py::test_preflight_explains_a_scope",
            "connect/test_sitting.py::test_only_the_two_oauth_posts_change_anything",
        ),
        "an option for the scope: Stripe offers new platforms one only",
    ),
    Case(
        "D17",
        "The platform's key reads, and a withdrawn access is told with its cure",
        (
            "connect/test_oauth.py::test_tokens_are_not_needed",
            "browser/test_connect.py::test_access_is_renewed",
            "connect/test_commands.py::test_status_tells_access_and_repair",
        ),
        "tokens of accounts: Stripe deprecated them",
    ),
    Case(
        "D18",
        "No secret is told",
        (
            "connect/test_sitting.py::test_secrets_stay_inside",
            "connect/test_loopback.py::test_no_page_tells_secrets",
            "connect/test_commands_terminal.py::test_secrets_stay_where_they_belong",
        ),
    ),
    Case(
        "D19",
        "Connections can be seen and undone",
        (
            "connect/test_commands.py::test_status_tells_access_and_repair",
            "connect/test_commands.py::test_disconnecting_leaves_both_sides",
            "connect/test_oauth.py::test_disconnecting",
        ),
    ),
    Case(
        "E1",
        "An interrupted first load goes on where it was",
        (
            "acceptance/test_resume.py::test_a_load_killed_several_times_loses_nothing",
            "acceptance/test_resume.py::test_resuming_reads_only_what_no_state_claimed",
        ),
        "a million objects: shown on a hundred thousand",
    ),
    Case(
        "E2",
        "A bookmark claims nothing that is still to come",
        (
            "acceptance/test_resume.py::test_the_first_page_alone_claims_only_its_own_part",
            "acceptance/test_resume.py::test_output_cut_at_any_state_can_be_resumed",
        ),
    ),
    Case(
        "E3",
        "Children half written are written again",
        ("acceptance/cases/test_e.py::test_e03_a_parent_half_written_is_written_again",),
    ),
    Case(
        "E4",
        "Signals end a run cleanly",
        ("acceptance/test_resume.py::test_signals_at_any_moment_end_the_run_cleanly",),
        "five hundred moments: shown on a hundred",
    ),
    Case(
        "E5",
        "Whatever STATE is fed back, nothing is lost",
        ("acceptance/test_resume.py::test_output_cut_at_any_state_can_be_resumed",),
    ),
    Case(
        "E6",
        "The state stays small and rare",
        (
            "acceptance/cases/test_e.py::test_e06_the_state_does_not_grow_with_parents",
            "unit/sync/state/test_format.py::test_a_platform_of_level_accounts_has_a_small_state",
        ),
        "a hundred thousand invoices: shown on six thousand",
    ),
    Case(
        "E7",
        "An empty account ends with all bookmarks",
        ("acceptance/test_sync.py::test_an_empty_account_ends_with_all_bookmarks",),
    ),
    Case(
        "E8",
        "Bookmarks of what is not read survive",
        (
            "acceptance/test_sync.py::test_what_is_not_selected_keeps_its_bookmark",
            "unit/sync/state/test_format.py::test_what_is_not_ours_passes_through",
        ),
    ),
    Case(
        "E9",
        "An earlier start date loads what it adds",
        ("acceptance/test_sync.py::test_an_earlier_start_date_loads_the_missing_years_once",),
    ),
    Case(
        "E10",
        "A stream selected later gets its history",
        (
            "acceptance/cases/test_e.py::test_e10_a_stream_selected_later_is_loaded_and_others_go_on",
            "acceptance/test_event_feed.py::test_a_stream_selected_later_gets_its_history",
        ),
        "disputes: shown on charges, there is no stream of disputes yet",
    ),
    Case(
        "E11",
        "States of other kinds are put right or refused by name",
        (
            "acceptance/test_sync.py::test_a_bookmark_in_the_future_is_put_right",
            "acceptance/test_sync.py::test_a_bookmark_of_another_tap_is_not_believed",
            "acceptance/test_bad_input.py::test_a_damaged_state",
            "unit/sync/state/test_format.py::test_junk_is_refused_by_name",
        ),
        "migrating older formats: this is the first one",
    ),
    Case(
        "E12",
        "A state of live data is not taken for test data",
        (
            "acceptance/cases/test_e.py::test_e12_a_live_state_is_not_taken_for_test_data",
            "acceptance/cases/test_e.py::test_e12_another_platforms_state_claims_nothing_of_this_one",
            "acceptance/test_bad_input.py::test_a_state_of_the_other_mode",
        ),
        "a flag: removing `livemode` from the state is the override; a state of another platform "
        "is not refused, as it claims nothing of other accounts",
    ),
    Case(
        "F1",
        "A first load takes hardly longer than the budget allows",
        (
            "acceptance/cases/test_f.py::test_f01_a_load_takes_hardly_longer_than_the_budget",
            "acceptance/cases/test_f.py::test_f01_slow_answers_cost_a_load_little",
            "acceptance/cases/test_f.py::test_f01_four_lists_take_hardly_longer_than_one",
            "acceptance/cases/test_f.py::test_f01_a_page_that_is_late_is_asked_for_once_more",
            "acceptance/cases/test_f.py::test_f01_a_list_that_is_always_slow_is_not_asked_for_twice",
            "unit/api/test_rate_limit.py::test_the_rate_is_used_fully",
            "unit/api/test_rate_limit.py::test_waiting_for_one_endpoint_does_not_delay_others",
        ),
        "50 requests a second for charges alone where Stripe has not raised limits: it allows "
        "an endpoint 25, of which the same share is used",
    ),
    Case(
        "F2",
        "Children cost no request of their own",
        (
            "acceptance/cases/test_f.py::test_f02_lines_cost_no_request_of_their_own",
            "acceptance/test_sync.py::test_embedded_children_cost_no_request",
        ),
    ),
    Case(
        "F3",
        "Many events of few objects are few reads",
        ("acceptance/test_event_feed.py::test_many_events_of_few_objects_are_one_read_each",),
    ),
    Case(
        "F4",
        "Changes that lie densely in their list come in list calls",
        (
            "acceptance/cases/test_f.py::test_f04_one_list_gives_what_a_hundred_retrieves_give",
            "acceptance/cases/test_f.py::test_f04_sparse_bulk_changes_come_in_their_pages",
            "unit/sync/plan/test_refetch.py::test_clusters_take_a_page_each",
        ),
    ),
    Case(
        "F5",
        "Windows are split by what lies in them, and empty ones are not searched",
        (
            "acceptance/cases/test_f.py::test_f05_readers_that_wait_search_no_empty_years",
            "acceptance/test_sync.py::test_a_first_load_takes_hardly_more_requests_than_pages",
            "unit/sync/plan/test_windows.py::test_requests_stay_near_the_number_of_pages",
            "unit/sync/plan/test_windows.py::test_an_empty_account_costs_one_request",
        ),
    ),
    Case(
        "F6",
        "Of the feed only ids are kept",
        ("acceptance/cases/test_f.py::test_f06_of_many_events_only_ids_are_kept",),
        "two million events: shown on twenty thousand; the memory that two million take is "
        "measured in benchmarks/, as it takes minutes",
    ),
    Case(
        "F7",
        "Writing a record costs little",
        left_out="records a second depend on the machine: `python3 dev.py bench --quick`, which "
        "CI runs, demands a share of what a reader without an SDK does on the same machine",
    ),
    Case(
        "F8",
        "A stream's schema is sent once",
        (
            "acceptance/cases/test_f.py::test_f08_each_schema_is_sent_once_however_many_parents",
            "unit/sync/emit/test_messages.py::test_one_schema_for_each_stream_comes_first",
        ),
    ),
    Case(
        "F9",
        "One pass gives parents and children",
        (
            "acceptance/cases/test_f.py::test_f09_one_pass_gives_parents_and_children",
            "acceptance/test_sync.py::test_embedded_children_cost_no_request",
        ),
    ),
    Case(
        "F10",
        "A parent's row does not carry its children",
        ("acceptance/test_sync.py::test_an_invoice_of_thousands_of_lines_stays_small",),
    ),
    Case(
        "F11",
        "What is not selected costs no request",
        (
            "acceptance/cases/test_f.py::test_f11_what_is_not_selected_costs_no_request",
            "acceptance/cases/test_f.py::test_f11_what_is_deselected_is_not_expanded_when_read_again",
            "acceptance/cases/test_a.py::test_a03_what_the_selection_drops_is_not_expanded",
            "acceptance/test_sync.py::test_unselected_streams_cost_no_request",
            "acceptance/test_sync.py::test_long_lists_are_not_completed_for_a_child_that_is_not_selected",
        ),
        "products and prices have no streams yet: shown on coupons and plans",
    ),
    Case(
        "G6",
        "Long work is not silent",
        (
            "unit/sync/report/test_progress.py::test_ten_minutes_without_a_row_have_a_line_each_half_minute",
            "acceptance/test_summary.py::test_every_stream_has_a_metric",
        ),
    ),
    Case(
        "G7",
        "A summary tells what was written and what was not",
        (
            "acceptance/test_summary.py::test_everything_that_was_skipped_is_told",
            "acceptance/test_summary.py::test_requests_and_retries_are_counted_where_they_belong",
        ),
    ),
    Case(
        "G8",
        "An error line tells what support asks for",
        (
            "acceptance/test_summary.py::test_an_error_line_has_all_that_support_asks_for",
            "unit/api/test_errors.py::test_an_error_shows_what_support_asks_for",
            "unit/api/test_errors.py::test_no_part_of_an_error_shows_a_secret",
        ),
    ),
    Case(
        "G9",
        "What is to be expected is counted, not told one by one",
        (
            "acceptance/cases/test_g.py::test_g09_a_thousand_vanished_objects_are_told_in_a_line",
            "acceptance/test_summary.py::test_parents_that_vanish_are_left_out_and_counted",
        ),
    ),
    Case(
        "G13",
        "The exit code says whether all was read",
        (
            "acceptance/cases/test_g.py::test_g13_the_exit_code_says_whether_all_was_read",
            "acceptance/test_resume.py::test_signals_at_any_moment_end_the_run_cleanly",
            "acceptance/test_bad_input.py::test_a_wrong_key",
            "acceptance/test_bad_input.py::test_every_fault_of_a_configuration_at_once",
        ),
    ),
)


@cache
def functions(file: Path) -> frozenset[str]:
    """Return the names of a module's functions."""
    module = ast.parse(file.read_text("utf-8"))
    return frozenset(node.name for node in module.body if isinstance(node, ast.FunctionDef))


def own_tests() -> Iterator[tuple[str, str]]:
    """Yield the case and the place of each test beside this file that is named after a case."""
    for file in sorted(Path(__file__).parent.glob("test_?.py")):
        letter = file.stem[-1]
        for name in functions(file):
            if name.startswith("test_"):
                number = name.removeprefix(f"test_{letter}")[:2]
                yield f"{letter.upper()}{int(number)}", f"acceptance/cases/{file.name}::{name}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_shown_or_left_out_for_a_reason(case: Case) -> None:
    """Each test that a case names exists."""
    assert case.shown or case.left_out
    for place in case.shown:
        file, _, name = place.partition("::")
        assert name in functions(TESTS / file), f"{place} does not exist"


def test_every_test_of_a_case_is_in_the_table() -> None:
    """A test that is named after a case is among those that the table has for it."""
    shown = {(case.name, place) for case in CASES for place in case.shown}
    assert set(own_tests()) <= shown


def test_each_case_stands_once_and_in_order() -> None:
    """The table can be searched by eye."""
    places = [(case.name[0], int(case.name[1:])) for case in CASES]
    assert places == sorted(set(places))
