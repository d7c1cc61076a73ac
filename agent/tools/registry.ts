import type { ToolDefinition } from '../../contracts/llm.ts';
import { applyPatchTool } from './apply-patch.ts';
import { askUserTool } from './ask-user.ts';
import { delegateTool } from './delegate.ts';
import { deleteTool, moveTool } from './delete-move.ts';
import { editTool } from './edit.ts';
import { fetchTool } from './fetch.ts';
import { gitHistoryTool } from './git-history.ts';
import { listTool } from './list.ts';
import { planTool } from './plan.ts';
import { proposeWorkTool } from './propose-work.ts';
import { readOutputTool } from './read-output.ts';
import { readTool } from './read.ts';
import { runTool, testTool } from './run.ts';
import { searchTool } from './search.ts';
import type { Tool } from './tool.ts';
import { writeTool } from './write.ts';

/** The tools that come with HelixCode. Their order is that in which models see them: changing it spoils prompt caches. */
const builtInTools: readonly Tool[] = [
  readTool,
  listTool,
  searchTool,
  editTool,
  writeTool,
  applyPatchTool,
  deleteTool,
  moveTool,
  runTool,
  testTool,
  gitHistoryTool,
  fetchTool,
  askUserTool,
  planTool,
  delegateTool,
  readOutputTool,
  proposeWorkTool,
];

/** Tools by name; made once, and given further ones (of MCP servers) where there are any. */
export interface ToolRegistry {
  names: string[];
  get(name: string): Tool | undefined;
  /** What a model is told of them, in the registry's order. Names it does not know are left out. */
  definitions(names: readonly string[]): ToolDefinition[];
}

/** Throws a TypeError when two tools have one name. */
export function createToolRegistry(further: readonly Tool[] = []): ToolRegistry {
  const tools = new Map<string, Tool>();
  for (const tool of [...builtInTools, ...further]) {
    if (tools.has(tool.name)) throw new TypeError(`there are two tools of the name ${tool.name}`);
    tools.set(tool.name, tool);
  }
  return {
    names: [...tools.keys()],
    get: (name) => tools.get(name),
    definitions: (names) =>
      [...tools.values()]
        .filter(({ name }) => names.includes(name))
        .map(({ name, description, schema }) => ({ name, description, parameters: schema })),
  };
}
