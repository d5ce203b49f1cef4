"""Whatever is stored has a class, and whatever the schema shows is governed by one or reviewed by name."""

from __future__ import annotations

from typing import Annotated

import pytest
from graphql import InterfaceTypeDefinitionNode, ObjectTypeDefinitionNode, parse
from pydantic import BaseModel

import archive_store
from archive_store.archive import RECORD_TYPES
from archive_store.foundation.field_classes import FieldClass, UnclassifiedFieldError, field_classes
from archive_store.foundation.records import Record
from archive_store.students.documents import Student
from archive_store.students.export_columns import COLUMNS, ExportColumn
from schema.root import export_sdl
from schema.students.types import STUDENT

# Why each field that no class governs may be shown. A field may stand here only after it was thought about.
REVIEWED: dict[str, str] = {
    "paths of what is read by its own rights, told to those who have them (tests/certificates)": """
        Certificate.paperUrl Certificate.documentUrl""",
    "a record's key: random, told only of a record in sight": """
        Campus.id Cohort.id Department.id Major.id School.id SchoolClass.id Certificate.id CertificateNumberRange.id
        Node.id ChangeRequest.id ChangeRequestResult.id CrisisTeam.id Delegation.id DelegationPayload.delegationId
        DisposalBatch.id EmergencyAction.id LegalHold.id Notification.id Person.id RetrievalGrant.id Scan.id Student.id
        Task.id""",
    "the way to nodes, each of them governed or reviewed itself": """
        Certificate.auditHistory CertificateNumberRange.auditHistory CertificatePayload.changeRequest
        Student.certificates
        Campus.auditHistory CampusPayload.campus CampusPayload.changeRequest ClassAssignPayload.changeRequest
        ClassAssignmentPreview.classes ClassAssignmentProposal.classes ClassAssignmentProposal.moves
        Cohort.auditHistory Cohort.grades CohortConnection.edges CohortConnection.pageInfo CohortEdge.node
        CohortPayload.changeRequest CohortPayload.cohort School.auditHistory School.campuses
        SchoolClass.auditHistory SchoolClass.campus SchoolClass.cohort SchoolClass.homeroomTeachers
        SchoolClass.students SchoolClassConnection.edges SchoolClassConnection.pageInfo SchoolClassEdge.node
        SchoolClassPayload.changeRequest SchoolClassPayload.schoolClass SchoolPayload.changeRequest
        Department.auditHistory DepartmentPayload.changeRequest DepartmentPayload.department Major.auditHistory
        Major.department MajorPayload.changeRequest MajorPayload.major
        SchoolPayload.school Student.numberHistory Student.schoolClass Student.major
        AccessEventConnection.edges AccessEventEdge.node AccessEventConnection.pageInfo AccessEvent.scans
        Student.accessHistory
        AuditEntryConnection.edges AuditEntryEdge.node ChangeRequestConnection.edges ChangeRequestEdge.node
        NotificationConnection.edges NotificationEdge.node PseudonymisedStudentConnection.edges
        PseudonymisedStudentEdge.node RetrievalGrantConnection.edges RetrievalGrantEdge.node StudentConnection.edges
        StudentEdge.node AuditEntryConnection.pageInfo ChangeRequestConnection.pageInfo
        NotificationConnection.pageInfo PseudonymisedStudentConnection.pageInfo RetrievalGrantConnection.pageInfo
        StudentConnection.pageInfo CrisisTeamConnection.edges CrisisTeamEdge.node CrisisTeamConnection.pageInfo
        DelegationConnection.edges DelegationEdge.node DelegationConnection.pageInfo EmergencyActionConnection.edges
        EmergencyActionEdge.node EmergencyActionConnection.pageInfo PersonConnection.edges PersonEdge.node
        PersonConnection.pageInfo TaskConnection.edges TaskEdge.node TaskConnection.pageInfo
        Subscription.notificationAdded Subscription.taskAdded Viewer.tasks Task.subject ChangeRequest.evidence
        ChangeRequestPayload.conflicts ChangeRequestResult.changeRequest ChangeRequestsPayload.results
        ApprovalPolicyReplacePayload.differences ApprovalPolicyReplacePayload.changeRequest
        RetentionTableReplacePayload.differences RetentionTableReplacePayload.requirements
        RetentionTableReplacePayload.changeRequest LegalHoldConnection.edges LegalHoldEdge.node
        LegalHoldConnection.pageInfo LegalHold.scans LegalHold.auditHistory LegalHold.viewerCan
        LegalHoldPayload.legalHold LegalHoldPayload.changeRequest DisposalItemConnection.edges DisposalItemEdge.node
        DisposalItemConnection.pageInfo DisposalItem.scan DisposalBatchConnection.edges DisposalBatchEdge.node
        DisposalBatchConnection.pageInfo DisposalBatch.items DisposalBatch.auditHistory
        DisposalBatch.viewerCan DisposalProposePayload.items DisposalProposePayload.disposalBatch
        DisposalProposePayload.changeRequest DisposalCancelPayload.disposalBatch
        IncompleteArchiveFileConnection.edges IncompleteArchiveFileEdge.node
        IncompleteArchiveFileConnection.pageInfo Student.archiveCompleteness
        ReasonTemplatesPayload.templates CalendarLoadPayload.changeRequest
        CalendarLoadPayload.workCalendar CodeTableLoadPayload.codeTable CodeTableLoadPayload.changeRequest
        CodeTable.entries CodeTableEntryConnection.edges CodeTableEntryConnection.pageInfo CodeTableEntryEdge.node
        CrisisTeam.members CrisisTeam.reviews
        CrisisTeam.viewerCan CrisisTeamMember.retrievals CrisisTeamPayload.crisisTeam EmergencyAction.changes
        EmergencyAction.receipts EmergencyAction.ruling EmergencyAction.viewerCan EmergencyPayload.emergencyAction
        StudentStatusPayload.changeRequest AuditEntry.changes ChangeRequest.steps ChangeRequest.changes
        Student.guardians
        Student.statusPeriods Student.scans Student.auditHistory Scan.auditHistory ChangeRequest.auditHistory
        EmergencyAction.auditHistory CrisisTeam.auditHistory RetrievalGrant.auditHistory Delegation.auditHistory
        Person.auditHistory AuditEntry.subject AuditEntry.approvalChain Student.viewerCan Student.fieldAccess
        Student.diff Student.moment
        Scan.viewerCan ChangeRequest.viewerCan StudentStatistics.cells PolicyReplacePayload.differences
        RosterImportPayload.report RosterReport.bad RosterBadRow.errors ChangeRequestPayload.changeRequest
        PolicyReplacePayload.changeRequest RetrievalGrantRequestPayload.changeRequest
        RetrievalGrantRevokePayload.retrievalGrant StudentUpdatePayload.changeRequest Permission.reason""",
    "a place in a list: a key, or the value that the list is in order by, which the viewer reads of every row": """
        CohortEdge.cursor SchoolClassEdge.cursor
        AccessEventEdge.cursor
        CodeTableEntryEdge.cursor AuditEntryEdge.cursor ChangeRequestEdge.cursor NotificationEdge.cursor
        PseudonymisedStudentEdge.cursor
        RetrievalGrantEdge.cursor StudentEdge.cursor CrisisTeamEdge.cursor DelegationEdge.cursor
        DisposalBatchEdge.cursor DisposalItemEdge.cursor IncompleteArchiveFileEdge.cursor LegalHoldEdge.cursor
        EmergencyActionEdge.cursor PersonEdge.cursor TaskEdge.cursor PageInfo.hasNextPage PageInfo.hasPreviousPage
        PageInfo.startCursor PageInfo.endCursor""",
    "values and free text redacted by the leaves that they speak of": """
        AuditChange.before AuditChange.after AuditEntry.reason FieldDifference.before FieldDifference.after
        RequestedChange.before RequestedChange.after
        ChangeRequest.reason ApprovalStep.comment EmergencyAction.reason EmergencyRuling.comment""",
    "both changes of a conflict: to whoever decides on the request, who sees what is decided": """
        FieldConflict.field FieldConflict.before FieldConflict.current FieldConflict.requested""",
    "the course of an emergency action: for those who decide on it and who executed it": """
        EmergencyAction.operation EmergencyAction.targetId EmergencyAction.status EmergencyAction.executedByName
        EmergencyAction.executedAt EmergencyAction.dueAt EmergencyAction.escalatedAt EmergencyReceipt.post
        EmergencyReceipt.acknowledgedByName EmergencyReceipt.acknowledgedAt EmergencyReceipt.onBehalfOfName
        EmergencyRuling.post EmergencyRuling.decidedAt EmergencyRuling.decidedByName EmergencyRuling.onBehalfOfName
        StudentStatusPayload.applied""",
    "a crisis team: for its own, those who decide, and the director; its texts have classes": """
        CrisisTeam.status CrisisTeam.formedByName CrisisTeam.leaderName CrisisTeam.days CrisisTeam.formedAt
        CrisisTeam.activatedAt CrisisTeam.validTo CrisisTeam.stoodDownAt CrisisTeam.reviewDue CrisisTeam.closedAt
        CrisisTeam.isReviewOverdue CrisisTeamMember.name CrisisTeamMember.personId CrisisTeamMember.posts
        CrisisTeamRetrieval.documentType CrisisTeamRetrieval.secrecy CrisisTeamRetrieval.studentId
        CrisisTeamRetrieval.views AfterActionReview.authorName AfterActionReview.submittedAt""",
    "a hold, and its reason for a stated purpose: for those who keep the archive and know of sealed papers": """
        LegalHold.placedByName LegalHold.createdAt LegalHold.releasedAt LegalHold.releasedByName LegalHold.reason
        LegalHold.studentId""",
    "what is due for disposal or was disposed of: for those who keep the archive and know of sealed papers": """
        DisposalItem.documentType DisposalItem.retention DisposalItem.filedOn DisposalItem.dueOn
        DisposalItem.studentId DisposalBatch.status DisposalBatch.tableVersion DisposalBatch.dueBy
        DisposalBatch.proposedByName DisposalBatch.reason DisposalBatch.createdAt DisposalBatch.closedAt""",
    "told from document type and day of filing (F1), where both are read, and the open table": """
        Scan.retentionUntil""",
    "required document types, of those that the viewer may know of in this archive file": """
        ArchiveCompleteness.required ArchiveCompleteness.missing ArchiveCompleteness.isComplete""",
    "archive files and their rate: for those who keep the archive, sealed types where they know of them": """
        IncompleteArchiveFile.missing IncompleteArchiveFile.studentId ArchiveCompletenessRate.students
        ArchiveCompletenessRate.complete ArchiveCompletenessRate.rate""",
    "who works here, in whose seat, and when: open inside the school (F0)": """
        Person.name Person.posts Delegation.delegatorName Delegation.delegateName Delegation.post
        Delegation.operations Delegation.validFrom Delegation.validTo""",
    "who is homeroom teacher of a class in sight: open inside the school (F0), as of `Person.name`": """
        HomeroomPeriod.name""",
    "how many are in a class, by their class (F0): to those who see all of them": "SchoolClass.size",
    "counts and moves of an assignment: to those who may ask for it, and read of every student what it is told by": """
        ClassCounts.after ClassCounts.before ClassCounts.capacity ClassCounts.className ClassCounts.femaleAfter
        ClassCounts.maleAfter ProposedMove.className ProposedMove.seatNumber ProposedMove.studentId
        CertificatePayload.applied ClassAssignPayload.applied""",
    "what awaits the viewer": "Task.kind Task.at",
    "codes and labels, as published": """
        CodeTable.name CodeTable.titleZh CodeTable.titleEn CodeTable.standard CodeTable.edition CodeTable.source
        CodeTable.validFrom CodeTable.loadedVersion CodeTable.editions CodeTableEntry.code
        CodeTableEntry.labelZh CodeTableEntry.labelEn CodeTableEntry.spellings CodeTableEntry.until
        CodeTableEntry.isAbolished Division.code Division.name Division.fullName Division.parents
        Division.formerNames Division.validFromYear Division.validToYear Division.isAbolished Division.source""",
    "days off, as published": """
        WorkCalendar.year WorkCalendar.version WorkCalendar.daysOff WorkCalendar.madeUpWorkdays WorkCalendar.source""",
    "that something happened, by whom and when: for those who read internal values (F1) of the record": """
        AuditChange.field AuditChange.withheld AuditEntry.sequence AuditEntry.at AuditEntry.actorName
        AuditEntry.operation AuditEntry.kind AuditEntry.hash AuditEntry.actorPosts AuditEntry.changeRequestId
        AuditEntry.effectiveFrom AuditEntry.subjectType AuditEntry.logIndex FieldDifference.field""",
    "the moment that was asked for": "Moment.asOf Moment.knownAt",
    "who looked at which fields of this student: for the family and auditors": """
        AccessEvent.at AccessEvent.actorName AccessEvent.actorPosts AccessEvent.fields AccessEvent.isOwn
        AccessEvent.byGrant AccessEvent.byTeam AccessEvent.logIndex AccessEvent.entryId
        AccessEvent.entrySequence AccessEvent.entryHash""",
    "who did it, by key: for auditors": "AuditEntry.actorId",
    "the course of a request: for the department, those who decide, and who asked": """
        ChangeRequest.operation ChangeRequest.status ChangeRequest.chain ChangeRequest.requestedByName
        ChangeRequest.createdAt ChangeRequest.appliedAt ChangeRequest.targetId ChangeRequest.awaits
        ChangeRequest.awaitsPosts ChangeRequest.awaitsPersonName ChangeRequest.dueAt ChangeRequest.isOverdue
        ChangeRequest.escalatedAt ChangeRequest.blockedAt ChangeRequest.effectiveFrom ChangeRequest.round
        ChangeRequest.digest ApprovalStep.post ApprovalStep.onBehalfOfName ApprovalStep.isVoid
        RequestedChange.field RequestedChange.withheld ApprovalStep.tier ApprovalStep.decision
        ApprovalStep.decidedByName ApprovalStep.decidedAt RetrievalGrantRequestPayload.applied
        StudentUpdatePayload.applied RosterReport.changeRequestId""",
    "a grant: for its grantee and those who decide on grants": """
        RetrievalGrant.granteeName RetrievalGrant.secrecy RetrievalGrant.purpose RetrievalGrant.documentType
        RetrievalGrant.expiresAt RetrievalGrant.viewsAllowed RetrievalGrant.viewsTaken RetrievalGrant.createdAt
        RetrievalGrant.studentId""",
    "what the viewer may do, told from rules and posts": """
        FieldAccess.field FieldAccess.fieldClass FieldAccess.readable FieldAccess.reason FieldAccess.filterable
        FieldAccess.changeable FieldAccess.operation FieldAccess.changeTiers Permission.allowed Permission.tiers
        Permission.posts Permission.operation Scan.contentClass Scan.contentUrl Scan.thumbnailUrl
        Scan.previewUrl""",
    "the viewer's own upload, as they sent it, and what its checks found of it": """
        ScanUpload.id ScanUpload.studentId ScanUpload.fileName ScanUpload.size ScanUpload.offset ScanUpload.status
        ScanUpload.expiresAt ScanUpload.findings ScanUpload.refusal ScanUpload.scan""",
    "what a warning of the checks says: below findings, which have a class, and of one's own uploads": """
        ScanFinding.code ScanFinding.pages ScanFinding.messageZh ScanFinding.messageEn""",
    "that something happened, never a value; the subject only where it is in sight": """
        Notification.kind Notification.at Notification.subjectId""",
    "counts with small cells suppressed; and a pseudonym that leads to no record": """
        StudentStatistics.smallestCell StudentStatisticsCell.count StudentStatisticsCell.suppressed
        PseudonymisedStudent.pseudonym
        StudentFlows.smallestCell StudentFlows.cells StudentFlowCell.period StudentFlowCell.flow
        StudentFlowCell.count StudentFlowCell.suppressed StudentStocks.smallestCell StudentStocks.cells
        StudentStockCell.month StudentStockCell.count StudentStockCell.suppressed
        GradeDistributions.smallestCell GradeDistributions.distributions GradeDistribution.grade
        GradeDistribution.count GradeDistribution.suppressed GradeDistribution.bands GradeDistribution.passRate
        GradeDistribution.mean GradeDistribution.median GradeBandCount.band GradeBandCount.count
        GradeBandCount.suppressed""",
    "the policy, open to all who are signed in": """
        ApprovalPolicy.version ApprovalPolicy.effectiveFrom ApprovalPolicy.content RouteDifference.operation
        RouteDifference.fields RouteDifference.jointBefore RouteDifference.tiersBefore RouteDifference.jointAfter
        RouteDifference.tiersAfter ReasonTemplate.use ReasonTemplate.zh ReasonTemplate.en
        RetentionTable.version RetentionTable.effectiveFrom RetentionTable.content
        RetentionDifference.documentType RetentionDifference.before RetentionDifference.after
        RequirementDifference.status RequirementDifference.gains RequirementDifference.loses
        FieldAccessPolicy.version FieldAccessPolicy.effectiveFrom FieldAccessPolicy.rules AccessDifference.post
        AccessDifference.relationship AccessDifference.purposeStated AccessDifference.gains AccessDifference.loses""",
    "the viewer's own": "Viewer.name Viewer.isService Viewer.posts Viewer.classNames",
    "what the roster that was just sent holds, counted, and its faults without their values": """
        RosterReport.rows RosterReport.valid RosterReport.added RosterReport.alreadyOnRecord RosterReport.refused
        RosterBadRow.sheetRow RosterRowError.column RosterRowError.code RosterRowError.messageZh
        RosterRowError.messageEn""",
    "an import: for those who import, told of their own file; of a student on record only that they are": """
        ImportBatch.fileName ImportBatch.fileSha256 ImportBatch.earlierBatchId ImportBatch.kind ImportBatch.policy
        ImportBatch.stage ImportBatch.cohort ImportBatch.status ImportBatch.isMapped ImportBatch.columns
        ImportBatch.rowCount ImportBatch.processed ImportBatch.added ImportBatch.updated ImportBatch.alreadyOnRecord
        ImportBatch.refused ImportBatch.skipped ImportBatch.undone ImportBatch.begunByName ImportBatch.begunAt
        ImportBatch.startedAt ImportBatch.endedAt ImportBatch.changeRequestId ImportBatch.obstacle ImportBatch.rows
        ImportBatch.id ImportBatch.auditHistory ImportBatchConnection.edges ImportBatchConnection.pageInfo
        ImportBatchEdge.node ImportBatchEdge.cursor ImportRowConnection.edges ImportRowConnection.pageInfo
        ImportRowEdge.node ImportRowEdge.cursor ImportRow.sheetRow ImportRow.outcome ImportRow.errors
        ImportRow.warnings ImportRow.studentId ImportRow.admissionCaseId ImportRow.changeRequestId
        ImportColumn.header ImportColumn.column ImportColumn.suggested ImportColumn.certainty
        ImportObstacle.sheetRow ImportObstacle.reason ImportObstacle.messageZh ImportObstacle.messageEn
        ImportDryRun.counts ImportDryRun.told ImportDryRun.hasMore ImportDryRunCounts.rows ImportDryRunCounts.added
        ImportDryRunCounts.alreadyOnRecord ImportDryRunCounts.refused ImportDryRunCounts.warned
        ImportDryRunCounts.enters ImportPayload.importBatch ImportPayload.changeRequest ImportPayload.errors
        ImportCheckPayload.report ImportCheckPayload.errors RosterReport.importBatchId
        Subscription.importProgress""",
    "an error names fields and rules, and never a stored value": """
        CertificatePayload.errors
        CampusPayload.errors ClassAssignPayload.errors ClassAssignmentPreview.errors ClassAssignmentProposal.errors
        CohortPayload.errors DepartmentPayload.errors MajorPayload.errors SchoolClassPayload.errors SchoolPayload.errors
        ChangeRequestPayload.errors PolicyReplacePayload.errors RetrievalGrantRequestPayload.errors
        RetentionTableReplacePayload.errors LegalHoldPayload.errors DisposalProposePayload.errors
        DisposalCancelPayload.errors
        ApprovalPolicyReplacePayload.errors ReasonTemplatesPayload.errors
        RetrievalGrantRevokePayload.errors CalendarLoadPayload.errors CodeTableLoadPayload.errors
        ChangeRequestResult.errors
        ChangeRequestsPayload.errors CrisisTeamPayload.errors DelegationPayload.errors EmergencyPayload.errors
        StudentStatusPayload.errors RosterImportPayload.errors StudentUpdatePayload.errors UserError.code
        UserError.field UserError.rule UserError.messageZh UserError.messageEn""",
    "sizes and hashes of the audit log, signed, which are published; no value is found from a keyed hash": """
        AuditEntry.proof AccessEvent.proof Checkpoint.origin
        Checkpoint.treeSize Checkpoint.rootHash Checkpoint.note Checkpoint.at
        InclusionProof.logIndex InclusionProof.leafHash InclusionProof.hashes InclusionProof.checkpoint
        InclusionProof.text ConsistencyProof.fromSize ConsistencyProof.toSize ConsistencyProof.hashes""",
    "an entry with its values encrypted: for auditors": "InclusionProof.leaf",
    "an admission case: a key, the way to governed leaves, and papers whose scan is in sight": """
        AdmissionCase.id AdmissionCase.studentId AdmissionCase.applicant
        AdmissionApplicant.guardians AdmissionCase.sources AdmissionCase.evidence AdmissionEvidence.scan
        AdmissionCase.missingEvidence AdmissionCase.signatures AdmissionCase.objections AdmissionCase.student
        AdmissionCase.auditHistory AdmissionCase.viewerCan AdmissionCase.isOverdue AdmissionCase.reviewDigest
        AdmissionCaseConnection.edges AdmissionCaseConnection.pageInfo AdmissionCaseEdge.cursor AdmissionCaseEdge.node
        AdmissionCasePayload.admissionCase AdmissionCasePayload.errors AdmissionCorrectPayload.admissionCase
        AdmissionCorrectPayload.changeRequest AdmissionCorrectPayload.errors""",
    "what became of the cases that the viewer moved, by key": """
        AdmissionSupplied.admissionCaseId AdmissionSupplied.outcome AdmissionSupplyPayload.errors
        AdmissionSupplyPayload.supplied AdmissionCaseRefused.admissionCaseId AdmissionCaseRefused.errors
        AdmissionCasesMovePayload.endCursor AdmissionCasesMovePayload.errors AdmissionCasesMovePayload.hasNext
        AdmissionCasesMovePayload.moved AdmissionCasesMovePayload.refused""",
    "how many cases are in which status: for whoever reads records by post": """
        AdmissionProgress.count AdmissionProgress.status""",
    "the rules of admission, open to all who are signed in": """
        AdmissionPolicy.effectiveFrom AdmissionPolicy.rules AdmissionPolicy.version AdmissionEvidenceDifference.gains
        AdmissionEvidenceDifference.loses AdmissionEvidenceDifference.stage
        AdmissionPolicyReplacePayload.changeRequest AdmissionPolicyReplacePayload.differences
        AdmissionPolicyReplacePayload.errors""",
    "the rules of status changes, open to all who are signed in; what a change would meet, to those who ask for it": """
        StatusRules.effectiveFrom StatusRules.rules StatusRules.version StatusRuleDifference.article
        StatusRuleDifference.change StatusRuleDifference.isGained StatusRuleDifference.pack
        StatusRulesReplacePayload.changeRequest StatusRulesReplacePayload.differences StatusRulesReplacePayload.errors
        StatusChangePreview.allowed StatusChangePreview.findings StatusChangePreview.partiesDueOn
        StatusChangePreview.stepsDueAt StatusChangePreview.tiers StatusFinding.article StatusFinding.isMet
        StatusFinding.missing StatusFinding.pack StatusFinding.requirement""",
    "the rules of the audit, open to all who are signed in; audits and decisions, to those who audit by post": """
        GraduationRules.effectiveFrom GraduationRules.rules GraduationRules.version GraduationRuleDifference.article
        GraduationRuleDifference.isGained GraduationRuleDifference.requirement
        GraduationRulesReplacePayload.changeRequest GraduationRulesReplacePayload.differences
        GraduationRulesReplacePayload.errors GraduationDecidePayload.changeRequest GraduationDecidePayload.errors
        GraduationAudit.findings GraduationAudit.proposed GraduationAudit.student GraduationFinding.article
        GraduationFinding.evidence GraduationFinding.isMet GraduationFinding.outcomes GraduationFinding.requirement
        GraduationBatch.changeRequestId GraduationBatch.completed GraduationBatch.decidedAt GraduationBatch.graduated
        GraduationBatch.graduatesOn GraduationBatch.id GraduationBatch.label GraduationBatch.leftIncomplete
        GraduationBatch.rulesVersion""",
    "transfers of archives (F1), to who reads that of the record or sends them (tests/transfers)": """
        FileTransfer.bagDigest FileTransfer.destination FileTransfer.dueOn FileTransfer.endedAt FileTransfer.endedOn
        FileTransfer.id FileTransfer.means FileTransfer.receiptNumber FileTransfer.receiver FileTransfer.returnReason
        FileTransfer.sentByName FileTransfer.sentOn FileTransfer.status FileTransfer.studentId
        FileTransferConnection.edges FileTransferConnection.pageInfo FileTransferEdge.cursor FileTransferEdge.node
        FileTransferPayload.applied FileTransferPayload.changeRequest FileTransferPayload.errors
        Student.fileTransfers""",
    "transfer cases: keys, ways to nodes, pages, routes, and what was just asked for; their leaves are governed": """
        Student.transferCases TransferCase.id TransferCase.steps TransferCase.studentId TransferCase.viewerCan
        TransferCaseConnection.edges TransferCaseConnection.pageInfo TransferCaseEdge.cursor TransferCaseEdge.node
        TransferCasePayload.applied TransferCasePayload.changeRequest TransferCasePayload.errors
        TransferCasePayload.transferCase TransferRules.effectiveFrom TransferRules.rules TransferRules.version
        TransferRulesReplacePayload.changeRequest TransferRulesReplacePayload.changedRoutes
        TransferRulesReplacePayload.errors""",
    "objections: keys, ways to nodes, pages, and what was just asked for; their leaves are governed": """
        RecordObjection.id RecordObjection.studentId RecordObjectionConnection.edges RecordObjectionConnection.pageInfo
        RecordObjectionEdge.cursor RecordObjectionEdge.node RecordObjectionPayload.errors
        RecordObjectionPayload.recordObjectionId Student.objections""",
    "semester verification: keys, ways to nodes, pages, and what was just asked for": """
        VerificationCampaign.auditHistory VerificationCampaign.id VerificationCampaign.items
        VerificationCampaign.progress VerificationCampaign.total VerificationCampaignConnection.edges
        VerificationCampaignConnection.pageInfo VerificationCampaignEdge.cursor VerificationCampaignEdge.node
        VerificationCampaignPayload.errors VerificationCampaignPayload.verificationCampaign
        VerificationConfirmPayload.errors VerificationConfirmPayload.verificationItems VerificationItem.auditHistory
        VerificationItem.changeRequest VerificationItem.found VerificationItem.id VerificationItem.student
        VerificationItemConnection.edges VerificationItemConnection.pageInfo VerificationItemEdge.cursor
        VerificationItemEdge.node VerificationItemPayload.errors VerificationItemPayload.verificationItem
        VerificationProgressConnection.edges VerificationProgressConnection.pageInfo VerificationProgressEdge.cursor
        VerificationProgressEdge.node""",
    "a campaign of semester verification, open (F0) to all who are signed in": """
        VerificationCampaign.begunAt VerificationCampaign.closedAt VerificationCampaign.closedByName
        VerificationCampaign.closesOn VerificationCampaign.fields VerificationCampaign.grades
        VerificationCampaign.openedByName VerificationCampaign.opensOn VerificationCampaign.schoolYear
        VerificationCampaign.status VerificationCampaign.statuses VerificationCampaign.term
        VerificationCampaign.title VerificationCampaign.viewerPending""",
    "an item, to overseers, the homeroom teacher and the family; class and state are open (F0)": """
        VerificationItem.changedSince VerificationItem.className VerificationItem.state""",
    "counts of the classes that are in sight, whose students the viewer sees one by one": """
        VerificationProgress.className VerificationProgress.mismatch VerificationProgress.pending
        VerificationProgress.resolved VerificationProgress.total VerificationProgress.verified""",
    "pairs of records that may be of one person, by grounds that the viewer may know: for whoever asks for merges": """
        DuplicateCandidate.grounds DuplicateCandidate.isDismissed DuplicateCandidate.score
        DuplicateCandidate.studentIds DuplicateCandidate.students DuplicateCandidateConnection.edges
        DuplicateCandidateConnection.pageInfo DuplicateCandidateEdge.cursor DuplicateCandidateEdge.node
        DuplicatePayload.done DuplicatePayload.errors""",
    "merges, to whoever reads internal values (F1) of them": """
        MergeCase.auditHistory MergeCase.fields MergeCase.id MergeCase.merged MergeCase.survivor
        Student.mergedRecords StudentMergePayload.changeRequest StudentMergePayload.errors""",
    "conduct: ways to nodes, keys and pages; what is in sight is told by the class of its leaves": """
        Appeal.id Award.id Sanction.id Appeal.auditHistory Award.auditHistory Sanction.auditHistory Appeal.committee
        Appeal.sanction Appeal.student Award.student Sanction.student Sanction.appeal Appeal.viewerCan
        Sanction.viewerCan Student.awards Student.sanctions AppealConnection.edges AppealConnection.pageInfo
        AppealEdge.cursor AppealEdge.node AppealPayload.appeal AppealPayload.errors
        ConductRequestPayload.changeRequest ConductRequestPayload.errors ConductPolicyReplacePayload.changeRequest
        ConductPolicyReplacePayload.errors""",
    "told from status and last day (F2), without which nobody sees the appeal": "Appeal.isOverdue",
    "who speaks for the committee: as its names, without which nobody sees the appeal": """
        AppealCommitteeMember.isChair""",
    "the rules of conduct, open to all who are signed in": """
        ConductPolicy.version ConductPolicy.effectiveFrom ConductPolicy.rules
        ConductPolicyReplacePayload.differences""",
    "courses and arrangements, open (F0): keys, ways to nodes, pages, and what was just asked for": """
        Course.auditHistory Course.id CourseArrangement.auditHistory CourseArrangement.id
        CourseArrangementConnection.edges CourseArrangementConnection.pageInfo CourseArrangementEdge.cursor
        CourseArrangementEdge.node CourseArrangementPayload.changeRequest CourseArrangementPayload.courseArrangement
        CourseArrangementPayload.errors CourseConnection.edges CourseConnection.pageInfo CourseEdge.cursor
        CourseEdge.node CoursePayload.changeRequest CoursePayload.course CoursePayload.errors Term.auditHistory Term.id
        TermConnection.edges TermConnection.pageInfo TermEdge.cursor TermEdge.node TermPayload.changeRequest
        TermPayload.errors TermPayload.term""",
    "the scale of grade points, open to all who are signed in; and what was just asked for": """
        GradePointScale.effectiveFrom GradePointScale.rules GradePointScale.version
        GradePointScaleReplacePayload.changeRequest GradePointScaleReplacePayload.differences
        GradePointScaleReplacePayload.errors Course.earlier CourseChangePayload.applied
        CourseChangePayload.changeRequest CourseChangePayload.errors""",
    "a grade, its average and rank: to whoever reads the grades that they are told by (tests/academics)": """
        GradeAverage.credits GradeAverage.rank GradeAverage.scale GradeAverage.value GradeRank.place GradeRank.ranked
        GradeRecord.arrangement GradeRecord.auditHistory GradeRecord.course GradeRecord.id GradeRecord.term
        Student.gpa Student.grades""",
    "attendance, to whoever reads each leaf of it; and what became of what was just sent": """
        AttendanceSummary.auditHistory AttendanceSummary.id AttendanceSummary.term Student.attendance
        AttendanceEnterPayload.entered AttendanceEnterPayload.errors AttendanceCorrectPayload.applied
        AttendanceCorrectPayload.changeRequest AttendanceCorrectPayload.errors""",
    "where a student sleeps and eats, to whoever reads each leaf of it; counts of beds; and what was just sent": """
        BuildingOccupancy.beds BuildingOccupancy.building BuildingOccupancy.rooms BuildingOccupancy.taken
        DormitoryRoom.free DormitoryRoom.id DormitoryRoom.stays DormitoryRoom.taken DormitoryRoomConnection.edges
        DormitoryRoomConnection.pageInfo DormitoryRoomEdge.cursor DormitoryRoomEdge.node LogisticsPayload.errors
        LogisticsPayload.id MealEnrolment.id Student.meals BedStay.building BedStay.id BedStay.roomNumber
        Student.dormitory""",
    "a transcript, to whoever reads the grades that it tells (tests/transcripts)": """
        Student.transcripts Transcript.auditHistory Transcript.correctedSince Transcript.documentUrl Transcript.id
        Transcript.paperUrl TranscriptIssuePayload.errors TranscriptIssuePayload.transcript
        TranscriptRevokePayload.applied TranscriptRevokePayload.changeRequest TranscriptRevokePayload.errors""",
    "what became of the grades that were just sent, to whoever enters them": """
        GradeCorrectPayload.applied GradeCorrectPayload.changeRequest GradeCorrectPayload.errors
        GradesEnterPayload.entered GradesEnterPayload.errors GradesEnterPayload.missing""",
    "faults of the sheet that was just sent, by row and code, to whoever enters grades (tests/grade_sheets)": """
        GradeSheetCellError.code GradeSheetCellError.column GradeSheetCellError.messageEn GradeSheetCellError.messageZh
        GradeSheetImportPayload.errors GradeSheetImportPayload.report GradeSheetReport.bad GradeSheetReport.entered
        GradeSheetReport.missing GradeSheetReport.rows GradeSheetReport.valid GradeSheetRow.errors
        GradeSheetRow.sheetRow""",
    "the SDL": "_Service.sdl",
}
# Their fields are the doors of the matrix, and the operations.
ROOTS = {"Query", "Mutation"}


def fields_of_the_schema() -> dict[str, bool]:
    """Every field of every object and interface as Type.field, and whether it has a class."""
    found = {}
    for node in parse(export_sdl()).definitions:
        if (
            isinstance(node, (ObjectTypeDefinitionNode, InterfaceTypeDefinitionNode))
            and node.name.value not in ROOTS
        ):
            for field in node.fields or ():
                has_class = any(directive.name.value == "fieldClass" for directive in field.directives or ())
                found[f"{node.name.value}.{field.name.value}"] = has_class
    return found


def test_every_field_that_is_shown_is_governed_or_reviewed() -> None:
    fields, reviewed = fields_of_the_schema(), [name for names in REVIEWED.values() for name in names.split()]
    assert len(reviewed) == len(set(reviewed))
    ungoverned = {name for name, has_class in fields.items() if not has_class}
    assert ungoverned - set(reviewed) == set(), (
        "give it a class by `governed`, or say here why it may be shown"
    )
    assert set(reviewed) - ungoverned == set(), "governed or gone: take it from the table"


def every_record_type() -> set[type[Record]]:
    def below(kind: type[Record]) -> set[type[Record]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    return {kind for kind in below(Record) if kind.__module__.startswith(archive_store.__name__)} - {Record}


def test_every_record_type_is_in_the_table_whose_leaves_have_classes() -> None:
    assert every_record_type() == set(RECORD_TYPES)
    for kind in RECORD_TYPES:
        assert set(field_classes(kind).values()) <= set(FieldClass)


def test_a_stored_field_without_a_class_is_a_defect() -> None:
    class Inner(BaseModel):
        known: Annotated[str, FieldClass.F0]
        forgotten: str = ""

    class Outer(BaseModel):
        listed: list[Inner] = []

    for kind in (Inner, Outer):
        with pytest.raises(UnclassifiedFieldError, match=r"Inner\.forgotten"):
            field_classes(kind)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.header)
def test_an_export_column_shows_what_a_type_shows(column: ExportColumn) -> None:
    """A leaf with a class, and none that GraphQL never shows."""
    assert field_classes(Student)[column.path] in FieldClass
    assert column.path in STUDENT.coordinates
