// Written by `make api` from openapi.json. Edit the server, not this file.

/** Anything that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Server-sent events as they come. */
export type EventStream = ReadableStream<Uint8Array>;

/** What `ErrorDetail.code` may hold; more where a request met no route, or a bug of the server's. */
export type ErrorCode =
  | "cancelled"
  | "checkpoint_error"
  | "deadline_passed"
  | "download_error"
  | "duplicate_record"
  | "edit_conflict"
  | "etag_missing"
  | "image_error"
  | "input_error"
  | "key_reused"
  | "mask_error"
  | "maskwright_error"
  | "model_error"
  | "not_allowed"
  | "not_signed_in"
  | "prompt_error"
  | "prompt_outside_image"
  | "record_error"
  | "request_error"
  | "serve_error"
  | "server_stopping"
  | "server_unreachable"
  | "setting_error"
  | "store_busy"
  | "store_damaged"
  | "store_error"
  | "store_full"
  | "store_missing"
  | "store_read_only"
  | "store_version_error"
  | "too_large"
  | "too_many_requests"
  | "unknown_image"
  | "unknown_job"
  | "unknown_model"
  | "unknown_record"
  | "unsupported_prompt"
  | "weights_missing";

export type SinglePrompt = BoxPrompt | MaskPrompt | PointPrompt | TextPrompt;

export type Prompt = BoxPrompt | CombinedPrompt | MaskPrompt | PointPrompt | TextPrompt;

export type Action = Accept | Comment | Edit | Merge | Reject | Relabel | Reparent | Retrack | Revert | Split;

/** The mask is right as it is. */
export interface Accept {
  readonly kind: "Accept";
}

/** Comparisons, the worst first, and what all of them come to. `is_cut`: of very many masks those looked at last. */
export interface AgreementOut {
  readonly items: readonly ComparisonOut[];
  readonly pairs: readonly PairOut[];
  readonly same_iou: number;
  readonly is_cut: boolean;
  readonly next_cursor: string | null;
}

/** Find masks on the frames of a source that the store knows, with the model of the server. */
export interface AnnotateIn {
  readonly kind: "annotate";
  /** The name of a data set, as GET /v1/jobs/sources lists them. */
  readonly source: string;
  readonly preset?: "fast" | "balanced" | "thorough";
  /** Look for these words instead of everything, with a model that takes text. */
  readonly phrases?: readonly string[] | null;
  readonly label?: string | null;
  /** One that is served; the first is the default. */
  readonly model?: string | null;
  readonly selection?: SelectionIn;
}

/** What one person did: acts, the masks they were about, and the time of those that could be timed. */
export interface AnnotatorOut {
  readonly name: string;
  readonly num_acts: number;
  readonly num_masks: number;
  readonly effort: EffortOut;
  readonly last_at: string;
}

/** Look for what is wrong, doubtful or worth knowing in the whole store, as maskwright audit does. For reviewers. */
export interface AuditIn {
  readonly kind: "audit";
}

/** A box around one object: x1, y1, x2, y2 in pixels, with x1 < x2 and y1 < y2. */
export interface BoxPrompt {
  readonly kind: "BoxPrompt";
  readonly box_xyxy: readonly [number, number, number, number];
}

/** Who the server takes the caller for. `store` is the id of its store, so that one is not taken for another. */
export interface CallerOut {
  readonly name: string;
  readonly scope: "read" | "annotate" | "review" | "admin";
  readonly store: string | null;
}

/** Several prompts that speak of the same object: at most one box, one mask and one text, any number of points. */
export interface CombinedPrompt {
  readonly kind: "CombinedPrompt";
  readonly parts: readonly SinglePrompt[];
}

/** Something is said about the mask, which stays as it is: plain text of at most `MOST_COMMENT` characters. */
export interface Comment {
  readonly kind: "Comment";
  readonly text: string;
}

/** Two people's versions of one mask. decision: one of them rejected it; pixels: the IoU is below `same_iou`. */
export interface ComparisonOut {
  readonly record_id: string;
  readonly frame: string;
  readonly first: string;
  readonly second: string;
  readonly iou: number;
  readonly difference: "none" | "label" | "pixels" | "decision";
  readonly labels: readonly [string | null, string | null];
  /** Who had the last word of three or more. */
  readonly settled_by: string | null;
}

/** What was drawn so far, for interactive labelling. */
export interface ContextIn {
  readonly result?: readonly RegionIn[];
}

/** How many masks a query finds. */
export interface CountOut {
  readonly count: number;
}

/**
 * A click in CVAT: the picture's file in base64, points and a box in pixels.
 *
 * The box is two corners, as CVAT sends it, or four numbers; empty or null without one. A threshold, which some
 * versions send, is not used: a mask has the pixels that the model finds more likely than not.
 */
export interface CvatInteractIn {
  readonly image: string;
  readonly pos_points?: readonly (readonly [number, number])[] | null;
  readonly neg_points?: readonly (readonly [number, number])[] | null;
  readonly obj_bbox?: readonly (readonly [number, number])[] | readonly number[] | null;
}

/** The mask of the whole picture, row by row, 1 on the object; and the outline of its largest island. */
export interface CvatInteractOut {
  readonly mask: readonly (readonly number[])[];
  readonly points: readonly (readonly [number, number])[];
}

/** The mask's pixels are replaced. */
export interface Edit {
  readonly kind: "Edit";
  readonly rle: RLE;
}

/** The events as they were added, and the etags that the records they touch have now. */
export interface EditedOut {
  readonly moment: number;
  readonly items: readonly LoggedEventOut[];
  readonly etags: { readonly [name: string]: string };
}

/** Time spent on masks, and how many they were; null where nothing was timed. */
export interface EffortOut {
  readonly num_masks: number;
  readonly seconds: number;
  readonly seconds_per_mask: number | null;
  readonly masks_per_hour: number | null;
}

/** The code is the name of an error class in snake case; the message is for people. */
export interface ErrorDetail {
  readonly code: string;
  readonly message: string;
  readonly request_id: string;
}

/** What every answer looks like that is not a success. */
export interface ErrorOut {
  readonly error: ErrorDetail;
}

/** What is done to which record. The server fills in who does it, when, and the event's id. */
export interface EventIn {
  readonly record_id: string;
  readonly action: Action;
}

/** Edits that are made together or not at all. `if_match` holds the etag that each record is expected to have. */
export interface EventsIn {
  readonly events: readonly EventIn[];
  /** Etags by record id, "*" for any; beside or instead of the header If-Match. */
  readonly if_match?: { readonly [name: string]: string };
  /** Only an admin signs for others. */
  readonly actor?: string | null;
}

/** Values that take the place of the preset's. They mean what they mean in SAM's automatic mask generator. */
export interface EverythingChanges {
  readonly points_per_side?: number | null;
  readonly points_per_batch?: number | null;
  readonly pred_iou_thresh?: number | null;
  readonly stability_score_thresh?: number | null;
  readonly stability_score_offset?: number | null;
  readonly box_nms_thresh?: number | null;
  readonly crop_n_layers?: number | null;
  readonly crop_nms_thresh?: number | null;
  readonly crop_overlap_ratio?: number | null;
  readonly crop_n_points_downscale_factor?: number | null;
  readonly min_mask_region_area?: number | null;
}

/** Every mask in a picture or in a box of it, without prompts. */
export interface EverythingIn {
  readonly image?: string | null;
  /** A frame of the store, by its place or by the id that GET /v1/frames gives. */
  readonly frame?: FrameRef | string | null;
  readonly model?: string | null;
  /**
   * rle: in the record alone (COCO's compressed counts); png: also as a 1-bit PNG in base64; polygons: also as
   * outlines with holes.
   */
  readonly format?: "rle" | "png" | "polygons";
  readonly deadline_ms?: number | null;
  readonly preset?: "fast" | "balanced" | "thorough";
  readonly settings?: EverythingChanges;
  /**
   * x1, y1, x2, y2: the points are laid over this box, and masks of which less than three quarters lie in it are
   * left out. Crops are not looked at.
   */
  readonly within?: readonly [number, number, number, number] | null;
}

/** Write the masks that a query finds in a format, to be fetched from /v1/jobs/{id}/result as a zip. */
export interface ExportIn {
  readonly kind: "export";
  /** A format of maskwright export. */
  readonly format: string;
  readonly query?: QueryIn;
  readonly with_images?: boolean;
}

/** A format that exports can be written in. `holds`: what it keeps beside the pixels. */
export interface FormatOut {
  readonly name: string;
  readonly about: string;
  readonly holds: readonly string[];
}

/** The formats that exports can be written in. */
export interface FormatsOut {
  readonly items: readonly FormatOut[];
}

/** A frame that was looked at, and how many masks it has of each status. */
export interface FrameOut {
  readonly id: string;
  readonly name: string;
  readonly size_hw: readonly [number, number];
  readonly ref: FrameRef | null;
  readonly image_digest: string | null;
  readonly num_masks: { readonly [name in "proposed" | "accepted" | "rejected" | "merged" | "split"]?: number };
}

/** Why a frame was skipped. Tracks go on with the next one. */
export interface FrameProblem {
  readonly code: string;
  readonly message: string;
}

/** Where a frame stands in a dataset. `timestamp_s` is in seconds from the start of the episode. */
export interface FrameRef {
  readonly kind: "FrameRef";
  readonly dataset: string;
  readonly episode: string;
  readonly camera: string;
  readonly frame_index: number;
  readonly timestamp_s?: number | null;
}

/** A frame's place in a data set. */
export interface FrameRefIn {
  readonly kind?: "FrameRef";
  readonly dataset: string;
  readonly episode: string;
  readonly camera: string;
  readonly frame_index: number;
  readonly timestamp_s?: number | null;
}

/** Frames in order. `next_cursor` is null on the last page. */
export interface FramesOut {
  readonly items: readonly FrameOut[];
  readonly next_cursor: string | null;
}

/** Masks of an episode or a label. `num_frames_left` counts frames on which something is still proposed. */
export interface GroupOut {
  readonly dataset: string | null;
  readonly name: string | null;
  readonly num_masks: { readonly [name in "proposed" | "accepted" | "rejected" | "merged" | "split"]?: number };
  readonly num_frames: number;
  readonly num_frames_left: number;
}

/** How the server is. `state` is "starting", "ready" or "draining". */
export interface HealthOut {
  readonly state: "starting" | "ready" | "draining";
  readonly models: readonly string[];
  readonly devices: readonly string[];
}

/** One mask's life: as it was put, every event that touched it, oldest first, and what they came to. */
export interface HistoryOut {
  readonly record: MaskRecord;
  readonly put_at: string;
  readonly put_moment: number;
  readonly events: readonly ReviewEvent[];
  readonly resolved: RecordOut;
}

/** A picture that the server has. `is_embedded`: a click on it waits for no encoder. */
export interface ImageOut {
  /** The picture's digest, as POST /v1/images and MaskRecord.image_digest give it. */
  readonly digest: string;
  readonly size_hw: readonly [number, number];
  readonly is_embedded: boolean;
}

/** An outline and the holes in it: x, y on the corners of pixels, the last vertex joined to the first. */
export interface IslandOut {
  readonly exterior: readonly (readonly [number, number])[];
  readonly holes: readonly (readonly (readonly [number, number])[])[];
}

/** A piece of long work. */
export type JobIn = AnnotateIn | TrackIn | ExportIn | AuditIn;

/** A piece of long work. `interrupted`: the server ended while it ran; the same request goes on where it was. */
export interface JobOut {
  readonly id: string;
  readonly kind: "annotate" | "track" | "export" | "audit";
  readonly state: "queued" | "running" | "done" | "failed" | "cancelled" | "interrupted";
  readonly caller: string;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly progress: maskwright__serve__wire_store__ProgressOut;
  readonly request: { readonly [name: string]: Json };
  readonly result: { readonly [name: string]: Json } | null;
  /** Whether /v1/jobs/{id}/result has something to fetch. */
  readonly has_file: boolean;
  readonly error: JobProblemOut | null;
}

/** Why a job failed, as errors are told elsewhere. */
export interface JobProblemOut {
  readonly code: string;
  readonly message: string;
}

/** Jobs, the newest first. */
export interface JobsOut {
  readonly items: readonly JobOut[];
  readonly next_cursor: string | null;
}

/** A label and how many masks have it, those that were rejected, merged or split apart. */
export interface LabelOut {
  readonly name: string;
  readonly num_masks: number;
}

/** `status` is UP. */
export interface LabelStudioHealthOut {
  readonly status: string;
  readonly model_class: string;
}

/** POST /predict as Label Studio sends it. */
export interface LabelStudioPredictIn {
  readonly tasks: readonly LabelStudioTask[];
  readonly label_config?: string | null;
  readonly params?: ParamsIn | null;
}

/** A prediction for each task, or none; `result` has regions. */
export interface LabelStudioPredictOut {
  readonly results: readonly ({ readonly [name: string]: Json })[];
  readonly model_version: string;
}

/** POST /setup as Label Studio sends it. The token in it is not looked at. */
export interface LabelStudioSetupIn {
  readonly project?: string | number | null;
}

/** Which model answers. */
export interface LabelStudioSetupOut {
  readonly model_version: string;
}

/** A task: `data` has the picture's address under the name that the labelling interface gives it. */
export interface LabelStudioTask {
  readonly id?: number | string | null;
  readonly data: { readonly [name: string]: Json };
}

/** What came of an event. */
export interface LabelStudioWebhookOut {
  readonly status: string;
  readonly result: string;
}

/** The labels of the store, by name. `is_cut`: there are more, with fewer masks than these. */
export interface LabelsOut {
  readonly items: readonly LabelOut[];
  readonly is_cut: boolean;
}

/** A track of the recording: where it begins and ends, and how many of its masks are what. */
export interface LaneOut {
  readonly track: string;
  readonly label: string | null;
  readonly first_frame: number;
  readonly last_frame: number;
  readonly num_masks: number;
  readonly num_keyframes: number;
  readonly num_proposed: number;
}

/** Events in the order in which they were added. `last` is the position to ask after next time. */
export interface LogOut {
  readonly items: readonly LoggedEventOut[];
  readonly next_cursor: string | null;
  readonly last: number;
}

/** A review event with its place in the log. */
export interface LoggedEventOut {
  readonly position: number;
  readonly moment: number;
  readonly event: ReviewEvent;
}

/** A mask: its record as the store keeps it, and its pixels in the other format, where one was asked for. */
export interface MaskOut {
  readonly record: MaskRecord;
  /** Which prompt it answers, from 0; null without prompts. */
  readonly prompt: number | null;
  /** base64 of a PNG with one bit a pixel. */
  readonly png: string | null;
  readonly polygons: readonly IslandOut[] | null;
}

/** A rough mask of the object, of the image's size; with clicks beside it, an earlier answer to correct. */
export interface MaskPrompt {
  readonly kind: "MaskPrompt";
  readonly rle: RLE;
}

/** A mask of the image whose digest is `image_digest`. */
export interface MaskRecord {
  readonly kind: "MaskRecord";
  readonly id: string;
  readonly image_digest: string;
  readonly rle: RLE;
  readonly box_xyxy: readonly [number, number, number, number];
  readonly area: number;
  readonly provenance: Provenance;
  readonly frame: FrameRef | null;
  readonly label: string | null;
  readonly track: string | null;
  readonly parent: string | null;
  readonly scores: Scores;
  readonly track_point: TrackPoint | null;
}

/** What a mask is to one person, who said so last `at`; without `rle`: nothing that should be used. */
export interface MaskVersionOut {
  readonly actor: string;
  readonly at: string;
  readonly rle: RLE | null;
  readonly label: string | null;
}

/** Each person's version of one mask, who spoke last at the end, and how each two of them compare. */
export interface MaskVersionsOut {
  readonly items: readonly MaskVersionOut[];
  readonly pairs: readonly ComparisonOut[];
  readonly same_iou: number;
}

/** Masks of a picture: those of the first prompt, best first, then those of the next. */
export interface MasksOut {
  /** The picture's digest, as POST /v1/images and MaskRecord.image_digest give it. */
  readonly image_digest: string;
  readonly size_hw: readonly [number, number];
  readonly masks: readonly MaskOut[];
}

/** The record takes in other records, which stop being listed on their own. */
export interface Merge {
  readonly kind: "Merge";
  readonly absorbed: readonly string[];
}

/** A model that is registered. `is_here`: its weights are on the server's machine. */
export interface ModelOut {
  readonly name: string;
  readonly title: string;
  readonly family: string;
  readonly input_side: number;
  readonly licence: string;
  readonly takes_text: boolean;
  readonly is_here: boolean;
  readonly is_served: boolean;
}

/** What people said about a checkpoint's masks. The rate is of those decided: accepted as they came. */
export interface ModelRecordOut {
  readonly name: string;
  readonly checkpoint_sha256: string;
  readonly num_masks: number;
  readonly num_accepted: number;
  readonly num_corrected: number;
  readonly num_rejected: number;
  readonly acceptance_rate: number | null;
}

/** Which network drew the mask: registered name, family, and the SHA-256 of the checkpoint it ran with. */
export interface ModelRef {
  readonly kind: "ModelRef";
  readonly name: string;
  readonly family: string;
  readonly checkpoint_sha256: string;
  readonly precision?: string;
}

/** `served` can be asked for, the first by default; `registered` are all that the server's version knows. */
export interface ModelsOut {
  readonly served: readonly string[];
  readonly registered: readonly ModelOut[];
}

/** A frame that somebody is about to look at. `ahead` are the frames whose pictures are made ready as well. */
export interface OpenedOut {
  readonly frame: FrameOut;
  readonly ahead: readonly string[];
}

/** How two people agree, over all masks that both looked at. */
export interface PairOut {
  readonly first: string;
  readonly second: string;
  readonly num_masks: number;
  readonly num_same: number;
  readonly mean_iou: number;
}

/** Parameters of a prediction. */
export interface ParamsIn {
  readonly context?: ContextIn | null;
}

/** Somebody on a frame, with the mask in hand if there is one. */
export interface PersonOut {
  readonly name: string;
  readonly record: string | null;
}

/** Clicks on one object, x, y in pixels: labels are 1 (on the object) or 0 (not on it), all 1 when left out. */
export interface PointPrompt {
  readonly kind: "PointPrompt";
  readonly points_xy: readonly (readonly [number, number])[];
  readonly labels?: readonly (0 | 1)[] | null;
}

/** Where somebody is. `page` tells several open pages of one person apart. */
export interface PresenceIn {
  readonly frame: string | null;
  /** The mask in hand. */
  readonly record?: string | null;
  readonly page?: string;
}

/** Who is on a frame, each person once. Who says nothing for `kept_s` seconds is gone. */
export interface PresenceOut {
  readonly frame: string | null;
  readonly people: readonly PersonOut[];
  readonly kept_s: number;
}

/** One post-processing step as it was applied: its registered name and its parameters. */
export interface ProcessingStep {
  readonly kind: "ProcessingStep";
  readonly name: string;
  readonly parameters: { readonly [name: string]: number | string | boolean };
}

/** The story of one mask. */
export interface Provenance {
  readonly kind: "Provenance";
  readonly method: "sam_raw" | "sam_refined" | "human_drawn" | "simulator" | "imported";
  readonly created_at: string;
  readonly model: ModelRef | null;
  readonly prompt: Prompt | null;
  readonly steps: readonly ProcessingStep[];
  readonly actor: string | null;
  readonly collector: string | null;
  readonly captured_at: string | null;
  readonly licence: string | null;
  readonly derived_from: readonly string[];
  readonly source: string | null;
}

/** How a mask came to be. The server fills in who saves it, and when it was made if that is left out. */
export interface ProvenanceIn {
  readonly kind?: "Provenance";
  readonly method: "sam_raw" | "sam_refined" | "human_drawn" | "simulator" | "imported";
  readonly created_at?: string | null;
  readonly model?: ModelRef | null;
  readonly prompt?: Prompt | null;
  readonly steps?: readonly ProcessingStep[];
  /** Only an admin names another than himself. */
  readonly actor?: string | null;
  readonly collector?: string | null;
  readonly captured_at?: string | null;
  readonly licence?: string | null;
  readonly derived_from?: readonly string[];
  readonly source?: string | null;
}

/** Conditions as JSON. */
export interface QueryIn {
  readonly min_area?: number | null;
  readonly max_area?: number | null;
  /** proposed and accepted where it is left out */
  readonly status?: readonly ("proposed" | "accepted" | "rejected" | "merged" | "split")[] | null;
  readonly method?: readonly ("sam_raw" | "sam_refined" | "human_drawn" | "simulator" | "imported")[] | null;
  readonly label?: readonly string[] | null;
  readonly track?: readonly string[] | null;
  readonly track_source?: readonly ("keyframe" | "segmented" | "carried")[] | null;
  readonly track_state?: readonly ("visible" | "occluded" | "outside")[] | null;
  readonly dataset?: readonly string[] | null;
  readonly episode?: readonly string[] | null;
  readonly camera?: readonly string[] | null;
  readonly first_frame?: number | null;
  readonly last_frame?: number | null;
  readonly image_digest?: readonly string[] | null;
  readonly model?: readonly string[] | null;
  readonly actor?: readonly string[] | null;
  readonly is_verified?: boolean | null;
  readonly min_predicted_iou?: number | null;
  readonly min_stability?: number | null;
  readonly bbox?: readonly [number, number, number, number] | null;
}

/** A query, or SQL: one SELECT over the views masks, records, events, frames and tags, for admins. */
export interface QuestionIn {
  readonly query?: QueryIn | null;
  readonly sql?: string | null;
  readonly count_only?: boolean;
  /** next_cursor of the page before; good as long as one likes. */
  readonly cursor?: string | null;
  /** At most so many rows; of masks 1,000 a page. */
  readonly limit?: number;
}

/**
 * A queue that can be asked for. `may` says whether the caller may; `origin` whether a rule makes it.
 *
 * rule: the masks that a rule finds now; picked: a list that somebody picked, each mask with reasons.
 */
export interface QueueAboutOut {
  readonly name: string;
  readonly origin: "rule" | "picked";
  readonly about: string;
  readonly may: boolean;
}

/** Masks in the order of a queue. `next_cursor` is null on the last page; `num_left` counts these and all after. */
export interface QueueOut {
  readonly items: readonly QueuedOut[];
  readonly next_cursor: string | null;
  readonly num_left: number;
}

/**
 * A mask with what it was ordered by, the smallest first; null where that is not known, which comes last.
 *
 * `frame` is the id of its frame, `cursor` goes on after this mask, `reasons` say why it was picked.
 */
export interface QueuedOut {
  readonly record: RecordOut;
  readonly frame: string;
  readonly value: number | null;
  readonly cursor: string;
  readonly reasons: readonly string[];
}

/** The queues that there are. */
export interface QueuesOut {
  readonly items: readonly QueueAboutOut[];
}

/** A binary mask: COCO's compressed counts, and its size (height, width) in pixels. */
export interface RLE {
  readonly kind: "RLE";
  readonly size_hw: readonly [number, number];
  readonly counts: string;
}

/** A mask to save. Box and area are computed; where they are given, they must be right. */
export interface RecordIn {
  readonly kind?: "MaskRecord";
  readonly id?: string | null;
  readonly image_digest?: string;
  readonly rle: RLE;
  readonly provenance: ProvenanceIn;
  readonly box_xyxy?: readonly [number, number, number, number] | null;
  readonly area?: number | null;
  readonly frame?: FrameRefIn | null;
  readonly label?: string | null;
  readonly track?: string | null;
  readonly parent?: string | null;
  readonly scores?: ScoresIn;
  readonly track_point?: TrackPoint | null;
}

/** A mask as it is now, and the tag that an edit of it sends back. */
export interface RecordOut {
  readonly kind: "ResolvedRecord";
  readonly record: MaskRecord;
  readonly status: "proposed" | "accepted" | "rejected" | "merged" | "split";
  readonly verified_by: string | null;
  readonly verified_at: string | null;
  readonly edited_by: string | null;
  readonly num_events: number;
  readonly as_of: string | null;
  readonly comments: readonly SignedComment[];
  readonly etag: string;
}

/** Masks to save together or not at all. */
export interface RecordsIn {
  readonly records: readonly RecordIn[];
}

/** Masks in frame order. `next_cursor` is null on the last page. */
export interface RecordsOut {
  readonly items: readonly RecordOut[];
  readonly next_cursor: string | null;
}

/** A region that a smart tool has drawn: `type` is keypointlabels, rectanglelabels, keypoint or rectangle. */
export interface RegionIn {
  readonly type: string;
  readonly value: RegionValueIn;
  readonly is_positive?: boolean | null;
  readonly image_rotation?: number;
}

/** Where a region is, in percent of the picture's width and height; its labels are under the name of its type. */
export interface RegionValueIn {
  readonly x: number;
  readonly y: number;
  readonly width?: number;
  readonly height?: number;
  readonly rotation?: number;
}

/** The mask must not be used. */
export interface Reject {
  readonly kind: "Reject";
  readonly reason?: string | null;
}

/** The mask's label is replaced; None removes it. */
export interface Relabel {
  readonly kind: "Relabel";
  readonly label: string | null;
}

/** The mask becomes a part of another record's; None makes it one of its own again. */
export interface Reparent {
  readonly kind: "Reparent";
  readonly parent: string | null;
}

/** The mask becomes one of another track; None takes it out of its track. */
export interface Retrack {
  readonly kind: "Retrack";
  readonly track: string | null;
}

/** An earlier event is undone; reverting a revert redoes it. */
export interface Revert {
  readonly kind: "Revert";
  readonly event_id: string;
}

/** `actor` did `action` to the record at `at` (timezone-aware). */
export interface ReviewEvent {
  readonly kind: "ReviewEvent";
  readonly id: string;
  readonly record_id: string;
  readonly actor: string;
  readonly at: string;
  readonly action: Action;
}

/** Records as they were put, and the moment of the store at which they were. */
export interface SavedOut {
  readonly moment: number;
  readonly items: readonly RecordOut[];
}

/** What the model thinks of its own mask, about 0 to 1, None where not computed. */
export interface Scores {
  readonly kind: "Scores";
  readonly predicted_iou: number | null;
  readonly stability: number | null;
  readonly agreement: number | null;
}

/** What the model thinks of its own mask. */
export interface ScoresIn {
  readonly kind?: "Scores";
  readonly predicted_iou?: number | null;
  readonly stability?: number | null;
  readonly agreement?: number | null;
}

/** Masks of prompts. */
export interface SegmentIn {
  readonly image?: string | null;
  /** A frame of the store, by its place or by the id that GET /v1/frames gives. */
  readonly frame?: FrameRef | string | null;
  readonly model?: string | null;
  /**
   * rle: in the record alone (COCO's compressed counts); png: also as a 1-bit PNG in base64; polygons: also as
   * outlines with holes.
   */
  readonly format?: "rle" | "png" | "polygons";
  readonly deadline_ms?: number | null;
  /** One for each object. */
  readonly prompts: readonly Prompt[];
  /** Candidates for each prompt, best first. */
  readonly num_masks?: number;
  /** Let the model choose among its candidates; null decides by the prompt. */
  readonly multimask?: boolean | null;
  /** Feed answers back in so often. */
  readonly refine_steps?: number;
  /** Draw small objects anew from an enlarged crop. */
  readonly closer?: boolean;
  readonly labels?: readonly (string | null)[] | null;
  /** Cleanup steps by name, in order. */
  readonly cleanup?: readonly ProcessingStep[];
}

/** Which frames of a source: episodes by key, position or range; every `stride`th frame from start to stop. */
export interface SelectionIn {
  readonly episodes?: readonly string[] | null;
  readonly cameras?: readonly string[] | null;
  readonly start?: number;
  readonly stop?: number | null;
  readonly stride?: number;
}

/** What somebody said about a mask, and when (timezone-aware). */
export interface SignedComment {
  readonly kind: "SignedComment";
  readonly actor: string;
  readonly at: string;
  readonly text: string;
}

/** A source of frames that jobs can be about. */
export interface SourceOut {
  readonly name: string;
  readonly is_here: boolean;
}

/** Sources that runs of the store found their frames in. */
export interface SourcesOut {
  readonly items: readonly SourceOut[];
}

/**
 * Frames of a track, both ends included, that look the same.
 *
 * `source` is null where no tracker and no prompt said how the mask came into the track; then it is a keyframe,
 * as is
 * what somebody drew, corrected or accepted. `confidence` is null, or has one value for each frame.
 */
export interface SpanOut {
  readonly track: string;
  readonly first: number;
  readonly last: number;
  readonly source: "keyframe" | "segmented" | "carried" | null;
  readonly state: "visible" | "occluded" | "outside";
  readonly status: "proposed" | "accepted" | "rejected" | "merged" | "split";
  readonly is_keyframe: boolean;
  readonly is_corrected: boolean;
  readonly confidence: readonly number[] | null;
}

/** Spans by track. `next_cursor` is null on the last page; a span may go on with the next. */
export interface SpansOut {
  readonly items: readonly SpanOut[];
  readonly next_cursor: string | null;
}

/** The record is replaced by the records named. */
export interface Split {
  readonly kind: "Split";
  readonly into: readonly string[];
}

/** The answer of a SELECT. `is_cut`: there are more rows than were asked for. */
export interface TableOut {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Json[])[];
  readonly is_cut: boolean;
}

/** Words that name the object. Only some models take text. */
export interface TextPrompt {
  readonly kind: "TextPrompt";
  readonly text: string;
}

/** The tracks of a recording by name, and its first and last frame; null where the store knows none. */
export interface TimelineOut {
  readonly first_frame: number | null;
  readonly last_frame: number | null;
  readonly items: readonly LaneOut[];
}

/** What is said of a frame, beside its picture. */
export interface TrackFrameIn {
  /** By track: begins the track of that name, or corrects it. */
  readonly prompts?: { readonly [name: string]: Prompt };
  /** Tracks that end before this frame. */
  readonly forget?: readonly string[];
  readonly image?: string | null;
  readonly raw_hw?: readonly [number, number] | null;
  /** rle: run lengths alone; png, polygons: that too. */
  readonly format?: "rle" | "png" | "polygons";
  readonly deadline_ms?: number | null;
}

/** What came of a frame; `index` is its place among those that were sent, from 0. */
export interface TrackFrameOut {
  readonly index: number;
  readonly image_digest: string | null;
  /** The picture changed as a whole: nothing could be carried over. */
  readonly is_cut: boolean;
  readonly masks: readonly TrackedMaskOut[];
  readonly error: FrameProblem | null;
}

/** Bring the tracks of a source up to date with their keyframes, after corrections. */
export interface TrackIn {
  readonly kind: "track";
  readonly source: string;
  readonly tracks?: readonly string[] | null;
  readonly budget?: "fast" | "default" | "accurate";
  readonly model?: string | null;
  readonly selection?: SelectionIn;
}

/** What a session is at. It ends `ends_in_s` from now unless a frame comes. */
export interface TrackOut {
  readonly id: string;
  readonly budget: string;
  readonly find_new: number;
  readonly model: string | null;
  readonly tracks: readonly string[];
  readonly num_shown: number;
  readonly num_answered: number;
  readonly num_skipped: number;
  /** Results are kept from this frame on. */
  readonly first_kept: number;
  readonly idle_s: number;
  readonly ends_in_s: number;
}

/** One moment of a track. */
export interface TrackPoint {
  readonly kind: "TrackPoint";
  readonly source: "keyframe" | "segmented" | "carried";
  readonly state?: "visible" | "occluded" | "outside";
  readonly confidence?: number;
  readonly anchors?: readonly string[];
}

/** How objects are followed. */
export interface TrackSessionIn {
  /** default, fast, accurate, or milliseconds a frame such as 80. */
  readonly budget?: string;
  /** Look for objects that have no track every so many frames. */
  readonly find_new?: number;
  readonly model?: string | null;
}

/** The header of a message of a web socket, or all of one that is text. */
export interface TrackStreamIn {
  /** By track: begins the track of that name, or corrects it. */
  readonly prompts?: { readonly [name: string]: Prompt };
  /** Tracks that end before this frame. */
  readonly forget?: readonly string[];
  readonly image?: string | null;
  readonly raw_hw?: readonly [number, number] | null;
  /** rle: run lengths alone; png, polygons: that too. */
  readonly format?: "rle" | "png" | "polygons";
  readonly deadline_ms?: number | null;
  /** No frame comes any more: answer those before, and close. */
  readonly is_last?: boolean;
}

/** An object on one frame: what is seen of it, maybe nothing. */
export interface TrackedMaskOut {
  readonly track: string;
  readonly rle: RLE;
  readonly box_xyxy: readonly [number, number, number, number];
  readonly area: number;
  readonly source: "keyframe" | "segmented" | "carried";
  readonly state: "visible" | "occluded" | "outside";
  readonly confidence: number;
  readonly scores: Scores;
  /** base64 of a PNG with one bit a pixel. */
  readonly png: string | null;
  readonly polygons: readonly IslandOut[] | null;
}

/** The caller's sessions; all of them for an admin. */
export interface TracksOut {
  readonly items: readonly TrackOut[];
  readonly next_cursor: null;
}

/** What runs here. */
export interface VersionOut {
  readonly name: "maskwright";
  readonly version: string;
  readonly api: "v1";
}

/** How far a review is. `annotators` are all for reviewers, and oneself for others. */
export interface maskwright__serve__wire_review__ProgressOut {
  readonly num_masks: { readonly [name in "proposed" | "accepted" | "rejected" | "merged" | "split"]?: number };
  readonly num_frames: number;
  readonly num_frames_left: number;
  readonly episodes: readonly GroupOut[];
  readonly labels: readonly GroupOut[];
  readonly models: readonly ModelRecordOut[];
  readonly annotators: readonly AnnotatorOut[];
  readonly assisted: EffortOut;
  readonly drawn: EffortOut;
  readonly hours_left: number | null;
  readonly idle_s: number;
  readonly is_cut: boolean;
}

/** How far a job is; `total` is null where nobody knows. */
export interface maskwright__serve__wire_store__ProgressOut {
  readonly done: number;
  readonly total: number | null;
  readonly eta_s: number | null;
}

/** Every operation: what goes into its path, query and headers, what is sent, what is answered. */
export interface Operations {
  /**
   * POST /v1/segment
   *
   * Answer each prompt with `num_masks` masks, best first. Clicks go before everything else that the server
   * does.
   *
   * Send the picture once (POST /v1/images, or as a form with the request) and name it by its digest from then
   * on.
   */
  readonly segment: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: SegmentIn | FormData;
    readonly answer: MasksOut;
  };
  /**
   * POST /v1/images
   *
   * The body is the picture's file, or a form with the file `picture`. The same pixels have the same digest.
   *
   * What the camera says about its orientation is applied; pixels of prompts and masks are those of the upright
   * picture.
   * The server lets pictures go that nobody asks for; then the digest is unknown (404), and one sends the
   * picture again.
   */
  readonly add_image: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly embed?: boolean;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: Blob | FormData;
    readonly answer: ImageOut;
  };
  /**
   * GET /v1/images/{digest}
   *
   * Its size, and whether a click on it has to wait for the encoder.
   */
  readonly get_image: {
    readonly path: {
      readonly digest: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: ImageOut;
  };
  /**
   * HEAD /v1/images/{digest}
   *
   * 200 or 404: whether the picture has to be sent.
   */
  readonly has_image: {
    readonly path: {
      readonly digest: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: undefined;
  };
  /**
   * GET /v1/images/{digest}/picture
   *
   * The pixels that the digest is of, upright, as a PNG, whatever was sent: nothing else of the file comes back.
   */
  readonly get_picture: {
    readonly path: {
      readonly digest: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: Blob;
  };
  /**
   * POST /v1/images/{digest}/embedding
   *
   * Costs nothing if it is encoded already; clients that ask at once share one run.
   */
  readonly embed_image: {
    readonly path: {
      readonly digest: string;
    };
    readonly query: {
      readonly model?: string | null;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: ImageOut;
  };
  /**
   * POST /v1/everything
   *
   * Bulk work: it lets clicks by. Takes seconds; one that goes is not worked for any longer.
   */
  readonly everything: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: EverythingIn | FormData;
    readonly answer: MasksOut;
  };
  /**
   * GET /v1/health/live
   *
   * Always 200: an answer is the answer. Needs no token.
   */
  readonly health_live: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: HealthOut;
  };
  /**
   * GET /v1/health/ready
   *
   * 200 once models are loaded, 503 before and while the server drains. Needs no token.
   */
  readonly health_ready: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: HealthOut;
  };
  /**
   * GET /v1/version
   *
   * Needs no token.
   */
  readonly version: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: VersionOut;
  };
  /**
   * GET /v1/caller
   *
   * The name and scope of the token that came with the request, and the id of the store that it is for.
   */
  readonly caller: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: CallerOut;
  };
  /**
   * GET /metrics
   *
   * Numbers only, no names: any token will do, so that what collects them may do nothing else.
   */
  readonly metrics: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: string;
  };
  /**
   * GET /v1/models
   *
   * The first of `served` is the default.
   */
  readonly list_models_of_server: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: ModelsOut;
  };
  /**
   * GET /v1/records
   *
   * In frame order, of the newest state, a page at a time.
   *
   * A cursor stays good while others write: no mask is given twice, and none is left out that was there all the
   * time.
   * Questions about one frame (dataset, episode, camera, first_frame = last_frame) are the quickest.
   */
  readonly list_records: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly min_area?: number | null;
      readonly max_area?: number | null;
      readonly status?: readonly ("proposed" | "accepted" | "rejected" | "merged" | "split")[] | null;
      readonly method?: readonly ("sam_raw" | "sam_refined" | "human_drawn" | "simulator" | "imported")[] | null;
      readonly label?: readonly string[] | null;
      readonly track?: readonly string[] | null;
      readonly track_source?: readonly ("keyframe" | "segmented" | "carried")[] | null;
      readonly track_state?: readonly ("visible" | "occluded" | "outside")[] | null;
      readonly dataset?: readonly string[] | null;
      readonly episode?: readonly string[] | null;
      readonly camera?: readonly string[] | null;
      readonly first_frame?: number | null;
      readonly last_frame?: number | null;
      readonly image_digest?: readonly string[] | null;
      readonly model?: readonly string[] | null;
      readonly actor?: readonly string[] | null;
      readonly is_verified?: boolean | null;
      readonly min_predicted_iou?: number | null;
      readonly min_stability?: number | null;
      readonly bbox?: string | null;
      readonly cursor?: string | null;
      readonly limit?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: RecordsOut;
  };
  /**
   * POST /v1/records
   *
   * All or none; they are on the disk when the answer comes. Records of POST /v1/segment can be sent as they
   * are.
   *
   * Their provenance says who saved them: the token's name. Only an admin saves masks that were imported or
   * simulated,
   * names another than himself, or brings frames that the store has not seen.
   */
  readonly add_records: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: {
      readonly "Idempotency-Key"?: string | null;
    };
    readonly body: RecordsIn;
    readonly answer: SavedOut;
  };
  /**
   * GET /v1/records/{record_id}
   *
   * Its ETag is what an edit sends back as If-Match.
   */
  readonly get_record: {
    readonly path: {
      readonly record_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: {
      readonly "If-None-Match"?: string | null;
    };
    readonly body: undefined;
    readonly answer: RecordOut;
  };
  /**
   * GET /v1/records/{record_id}/history
   *
   * As it was put, every event that touched it, and what they came to.
   */
  readonly get_record_history: {
    readonly path: {
      readonly record_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: HistoryOut;
  };
  /**
   * GET /v1/events
   *
   * Oldest first, after a position. Ask again after `last` for what came since.
   */
  readonly list_events: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly after?: number | null;
      readonly limit?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: LogOut;
  };
  /**
   * POST /v1/events
   *
   * All or none; they are on the disk when the answer comes.
   *
   * Every record that is edited or absorbed needs the etag that it was read with, in If-Match or if_match, so
   * that
   * nobody's work is wiped out unseen; * edits it whatever it is. The comparison and the edit are one.
   */
  readonly add_events: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: {
      readonly "Idempotency-Key"?: string | null;
      readonly "If-Match"?: string | null;
    };
    readonly body: EventsIn;
    readonly answer: EditedOut;
  };
  /**
   * GET /v1/events/stream
   *
   * Server-sent events `review`, each once it is on the disk; its id is its position in the log.
   *
   * Events `record` tell that masks were put, how many, and where: least and greatest of dataset, episode,
   * camera and
   * frame_index, null where some have none. Events `presence` tell who is on a frame after somebody came or
   * went. Both
   * have no id, for they are not in the log. From now on, or after a position; a client that comes back with
   * Last-Event-ID misses no review, and reads the masks of its frame anew.
   */
  readonly stream_events: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly after?: number | null;
    };
    readonly headers: {
      readonly "Last-Event-ID"?: string | null;
    };
    readonly body: undefined;
    readonly answer: EventStream;
  };
  /**
   * POST /v1/queries
   *
   * `query` answers as GET /v1/records does, or with `count_only` how many there are; `sql` answers with a
   * table.
   *
   * SQL needs the scope admin. It reads a snapshot of the store and nothing else, and is stopped after ten
   * seconds.
   */
  readonly ask: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: QuestionIn;
    readonly answer: RecordsOut | CountOut | TableOut;
  };
  /**
   * GET /v1/frames
   *
   * In order, with how many masks each has of each status; frames without masks too.
   */
  readonly list_frames: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly dataset?: readonly string[] | null;
      readonly episode?: readonly string[] | null;
      readonly camera?: readonly string[] | null;
      readonly first_frame?: number | null;
      readonly last_frame?: number | null;
      readonly cursor?: string | null;
      readonly limit?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: FramesOut;
  };
  /**
   * GET /v1/frames/{frame}
   *
   * Its name, size and place, and how many masks it has.
   */
  readonly get_frame: {
    readonly path: {
      readonly frame: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: FrameOut;
  };
  /**
   * GET /v1/frames/{frame}/records
   *
   * All on one page, in the order in which they were put.
   */
  readonly list_frame_records: {
    readonly path: {
      readonly frame: string;
    };
    readonly query: {
      readonly status?: "listed" | "any";
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: RecordsOut;
  };
  /**
   * GET /v1/frames/{frame}/picture
   *
   * The pixels that masks are on, upright. From then on POST /v1/segment takes the picture by its digest.
   */
  readonly get_frame_picture: {
    readonly path: {
      readonly frame: string;
    };
    readonly query: {
      readonly format?: "png" | "jpeg";
      readonly width?: number | null;
    };
    readonly headers: {
      readonly "If-None-Match"?: string | null;
    };
    readonly body: undefined;
    readonly answer: Blob;
  };
  /**
   * POST /v1/frames/{frame}/open
   *
   * Its picture and the next ones are decoded and encoded when there is room, so that no first click waits.
   */
  readonly open_frame: {
    readonly path: {
      readonly frame: string;
    };
    readonly query: {
      readonly ahead?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: OpenedOut;
  };
  /**
   * GET /v1/presence
   *
   * Everybody whose page said so within the last 15 seconds, oneself included.
   */
  readonly get_presence: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly frame: string;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: PresenceOut;
  };
  /**
   * POST /v1/presence
   *
   * Every five seconds or so, and at once when the frame or the mask in hand changes; null for the frame is
   * goodbye.
   *
   * After 15 seconds without it one is gone. Others see the token's name, and hear of it in the event stream, as
   * events
   * `presence` that are not in the log.
   */
  readonly tell_presence: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: PresenceIn;
    readonly answer: PresenceOut;
  };
  /**
   * GET /v1/progress
   *
   * By episode, label, annotator and checkpoint; the time of masks drawn by hand and of others; what is left.
   *
   * Time is read from the log: pauses longer than `idle_s` count for nothing. Others' figures are for the scope
   * review.
   */
  readonly get_progress: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly label?: readonly string[] | null;
      readonly track?: readonly string[] | null;
      readonly dataset?: readonly string[] | null;
      readonly episode?: readonly string[] | null;
      readonly camera?: readonly string[] | null;
      readonly model?: readonly string[] | null;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: maskwright__serve__wire_review__ProgressOut;
  };
  /**
   * GET /v1/labels
   *
   * By name, with how many masks have each; quick enough to be asked whenever a page opens.
   */
  readonly list_labels: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: LabelsOut;
  };
  /**
   * GET /v1/queues
   *
   * Each is an order in which masks are worth looking at: those that rules make, then those that somebody
   * picked.
   */
  readonly list_queues: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: QueuesOut;
  };
  /**
   * GET /v1/queues/{name}
   *
   * A page goes on after the last mask of the one before, whatever was decided meanwhile.
   *
   * `disagreed` needs the scope review; `second_look` leaves out what the caller has looked at himself.
   */
  readonly get_queue: {
    readonly path: {
      readonly name: string;
    };
    readonly query: {
      readonly label?: readonly string[] | null;
      readonly track?: readonly string[] | null;
      readonly dataset?: readonly string[] | null;
      readonly episode?: readonly string[] | null;
      readonly camera?: readonly string[] | null;
      readonly model?: readonly string[] | null;
      readonly seed?: number;
      readonly cursor?: string | null;
      readonly limit?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: QueueOut;
  };
  /**
   * GET /v1/agreement
   *
   * Pairs of people's versions of one mask, the least alike first, and what they come to for each two people.
   *
   * A person's version is what his last word left: pixels drawn or accepted, or nothing where he rejected it.
   */
  readonly get_agreement: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly label?: readonly string[] | null;
      readonly track?: readonly string[] | null;
      readonly dataset?: readonly string[] | null;
      readonly episode?: readonly string[] | null;
      readonly camera?: readonly string[] | null;
      readonly model?: readonly string[] | null;
      readonly is_open?: boolean;
      readonly cursor?: string | null;
      readonly limit?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: AgreementOut;
  };
  /**
   * GET /v1/records/{record_id}/versions
   *
   * A person's version is what his last word left, and each two of them are compared.
   *
   * Taking one of them is an edit with its pixels and an acceptance, or a rejection where it has none.
   */
  readonly list_record_versions: {
    readonly path: {
      readonly record_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: MaskVersionsOut;
  };
  /**
   * GET /v1/timeline
   *
   * By name. A recording that the store does not know has none.
   */
  readonly get_timeline: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly dataset: string;
      readonly episode: string;
      readonly camera: string;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: TimelineOut;
  };
  /**
   * GET /v1/timeline/spans
   *
   * Keyframes, propagated, occluded, outside, rejected, corrected; and how sure the tracker was. No pixels.
   *
   * A page holds the points of the first frames; spans are within a page. Rejected masks are told where a track
   * has no
   * other on their frame.
   */
  readonly list_timeline_spans: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly dataset: string;
      readonly episode: string;
      readonly camera: string;
      readonly track?: readonly string[] | null;
      readonly first_frame?: number | null;
      readonly last_frame?: number | null;
      readonly cursor?: string | null;
      readonly limit?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: SpansOut;
  };
  /**
   * GET /v1/jobs
   *
   * Those that wait, that run, and the last ones that are over.
   */
  readonly list_jobs: {
    readonly path: { readonly [name: string]: never };
    readonly query: {
      readonly cursor?: string | null;
      readonly limit?: number;
    };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: JobsOut;
  };
  /**
   * POST /v1/jobs
   *
   * annotate finds masks on the frames of a source, track brings tracks up to date, export writes files to
   * fetch.
   *
   * audit looks for what is wrong with the store, and is for reviewers. Sources are named, never given as paths.
   * A job
   * that was interrupted is gone on with by sending the same again.
   */
  readonly add_job: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: {
      readonly "Idempotency-Key"?: string | null;
    };
    readonly body: JobIn;
    readonly answer: JobOut;
  };
  /**
   * GET /v1/jobs/sources
   *
   * The data sets that runs of the store found their frames in.
   */
  readonly list_job_sources: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: SourcesOut;
  };
  /**
   * GET /v1/jobs/formats
   *
   * What each keeps beside the pixels; the rest an export tells as losses.
   */
  readonly list_job_formats: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: FormatsOut;
  };
  /**
   * GET /v1/jobs/{job_id}
   *
   * How far it is, and what came of it.
   */
  readonly get_job: {
    readonly path: {
      readonly job_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: JobOut;
  };
  /**
   * POST /v1/jobs/{job_id}/cancel
   *
   * It ends before its next frame; what it has done stays. For who began it, and admins.
   */
  readonly cancel_job: {
    readonly path: {
      readonly job_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: JobOut;
  };
  /**
   * GET /v1/jobs/{job_id}/result
   *
   * The files of an export that is done, as a zip that is made while it is sent.
   */
  readonly get_job_result: {
    readonly path: {
      readonly job_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: Blob;
  };
  /**
   * GET /v1/jobs/{job_id}/stream
   *
   * Server-sent events `job`, a few a second at most, until it is over.
   */
  readonly stream_job: {
    readonly path: {
      readonly job_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: EventStream;
  };
  /**
   * GET /v1/tracks
   *
   * One's own; an admin sees all.
   */
  readonly list_tracks: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: TracksOut;
  };
  /**
   * POST /v1/tracks
   *
   * A session follows objects through the frames that it is sent, in order. It keeps no frame.
   *
   * It ends when it is closed, and after `idle_s` seconds without a frame. There are only so many at a time
   * (429).
   */
  readonly open_track: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: TrackSessionIn | null | undefined;
    readonly answer: TrackOut;
  };
  /**
   * GET /v1/tracks/{session_id}
   *
   * Its tracks, how many frames it has followed, and when it ends if none comes.
   */
  readonly get_track: {
    readonly path: {
      readonly session_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: TrackOut;
  };
  /**
   * DELETE /v1/tracks/{session_id}
   *
   * Frames that wait are not followed any more. The answer says what it was at.
   */
  readonly close_track: {
    readonly path: {
      readonly session_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: TrackOut;
  };
  /**
   * DELETE /v1/tracks/{session_id}/objects/{track}
   *
   * At once: frames that wait are followed without it. A prompt of the same name begins another.
   */
  readonly forget_track: {
    readonly path: {
      readonly session_id: string;
      readonly track: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: undefined;
  };
  /**
   * POST /v1/tracks/{session_id}/frames
   *
   * Answers with the frame's masks. The body is a picture, a form of a picture and what is said of it, or JSON.
   *
   * A frame that cannot be used is an error and counts: its place is told as skipped, and tracks go on with the
   * next.
   */
  readonly show_frame: {
    readonly path: {
      readonly session_id: string;
    };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: Blob | TrackFrameIn | FormData;
    readonly answer: TrackFrameOut;
  };
  /**
   * GET /v1/tracks/{session_id}/results
   *
   * Server-sent events to the end of the session. Goes on behind Last-Event-ID, as browsers do by themselves.
   *
   * Results are kept for a while. Who comes back too late is told by an event `lost` which ones are gone.
   */
  readonly follow_track: {
    readonly path: {
      readonly session_id: string;
    };
    readonly query: {
      readonly format?: "rle" | "png" | "polygons";
    };
    readonly headers: {
      readonly "last-event-id"?: string | null;
    };
    readonly body: undefined;
    readonly answer: EventStream;
  };
  /**
   * GET /label-studio
   *
   * As /health.
   */
  readonly label_studio: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: LabelStudioHealthOut;
  };
  /**
   * GET /label-studio/health
   *
   * UP, for who has a token; Label Studio asks before it connects.
   */
  readonly label_studio_health: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: LabelStudioHealthOut;
  };
  /**
   * POST /label-studio/setup
   *
   * Says which model answers. Nothing is kept of the project, nor of the token that Label Studio sends along.
   */
  readonly label_studio_setup: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: LabelStudioSetupIn;
    readonly answer: LabelStudioSetupOut;
  };
  /**
   * POST /label-studio/predict
   *
   * One prediction for the task that somebody draws on; none where nothing is drawn.
   *
   * Masks go to the first BrushLabels or Brush of the labelling interface, else to PolygonLabels or Polygon,
   * which lose
   * holes. The picture is a data URI, or is fetched from Label Studio or a host that the server was told of.
   */
  readonly label_studio_predict: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: LabelStudioPredictIn;
    readonly answer: LabelStudioPredictOut;
  };
  /**
   * POST /label-studio/webhook
   *
   * Taken and left alone: the model does not train while it serves.
   */
  readonly label_studio_webhook: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: undefined;
    readonly answer: LabelStudioWebhookOut;
  };
  /**
   * POST /cvat
   *
   * The mask of points and a box on the picture that comes along, as an interactor of version 2 answers.
   */
  readonly cvat_interact: {
    readonly path: { readonly [name: string]: never };
    readonly query: { readonly [name: string]: never };
    readonly headers: { readonly [name: string]: never };
    readonly body: CvatInteractIn;
    readonly answer: CvatInteractOut;
  };
}

/** Where each operation is. */
export const operations = {
  segment: { method: "POST", path: "/v1/segment" },
  add_image: { method: "POST", path: "/v1/images" },
  get_image: { method: "GET", path: "/v1/images/{digest}" },
  has_image: { method: "HEAD", path: "/v1/images/{digest}" },
  get_picture: { method: "GET", path: "/v1/images/{digest}/picture" },
  embed_image: { method: "POST", path: "/v1/images/{digest}/embedding" },
  everything: { method: "POST", path: "/v1/everything" },
  health_live: { method: "GET", path: "/v1/health/live" },
  health_ready: { method: "GET", path: "/v1/health/ready" },
  version: { method: "GET", path: "/v1/version" },
  caller: { method: "GET", path: "/v1/caller" },
  metrics: { method: "GET", path: "/metrics" },
  list_models_of_server: { method: "GET", path: "/v1/models" },
  list_records: { method: "GET", path: "/v1/records" },
  add_records: { method: "POST", path: "/v1/records" },
  get_record: { method: "GET", path: "/v1/records/{record_id}" },
  get_record_history: { method: "GET", path: "/v1/records/{record_id}/history" },
  list_events: { method: "GET", path: "/v1/events" },
  add_events: { method: "POST", path: "/v1/events" },
  stream_events: { method: "GET", path: "/v1/events/stream" },
  ask: { method: "POST", path: "/v1/queries" },
  list_frames: { method: "GET", path: "/v1/frames" },
  get_frame: { method: "GET", path: "/v1/frames/{frame}" },
  list_frame_records: { method: "GET", path: "/v1/frames/{frame}/records" },
  get_frame_picture: { method: "GET", path: "/v1/frames/{frame}/picture" },
  open_frame: { method: "POST", path: "/v1/frames/{frame}/open" },
  get_presence: { method: "GET", path: "/v1/presence" },
  tell_presence: { method: "POST", path: "/v1/presence" },
  get_progress: { method: "GET", path: "/v1/progress" },
  list_labels: { method: "GET", path: "/v1/labels" },
  list_queues: { method: "GET", path: "/v1/queues" },
  get_queue: { method: "GET", path: "/v1/queues/{name}" },
  get_agreement: { method: "GET", path: "/v1/agreement" },
  list_record_versions: { method: "GET", path: "/v1/records/{record_id}/versions" },
  get_timeline: { method: "GET", path: "/v1/timeline" },
  list_timeline_spans: { method: "GET", path: "/v1/timeline/spans" },
  list_jobs: { method: "GET", path: "/v1/jobs" },
  add_job: { method: "POST", path: "/v1/jobs" },
  list_job_sources: { method: "GET", path: "/v1/jobs/sources" },
  list_job_formats: { method: "GET", path: "/v1/jobs/formats" },
  get_job: { method: "GET", path: "/v1/jobs/{job_id}" },
  cancel_job: { method: "POST", path: "/v1/jobs/{job_id}/cancel" },
  get_job_result: { method: "GET", path: "/v1/jobs/{job_id}/result" },
  stream_job: { method: "GET", path: "/v1/jobs/{job_id}/stream" },
  list_tracks: { method: "GET", path: "/v1/tracks" },
  open_track: { method: "POST", path: "/v1/tracks" },
  get_track: { method: "GET", path: "/v1/tracks/{session_id}" },
  close_track: { method: "DELETE", path: "/v1/tracks/{session_id}" },
  forget_track: { method: "DELETE", path: "/v1/tracks/{session_id}/objects/{track}" },
  show_frame: { method: "POST", path: "/v1/tracks/{session_id}/frames" },
  follow_track: { method: "GET", path: "/v1/tracks/{session_id}/results" },
  label_studio: { method: "GET", path: "/label-studio" },
  label_studio_health: { method: "GET", path: "/label-studio/health" },
  label_studio_setup: { method: "POST", path: "/label-studio/setup" },
  label_studio_predict: { method: "POST", path: "/label-studio/predict" },
  label_studio_webhook: { method: "POST", path: "/label-studio/webhook" },
  cvat_interact: { method: "POST", path: "/cvat" },
} as const satisfies { readonly [name in keyof Operations]: { method: string; path: string } };
