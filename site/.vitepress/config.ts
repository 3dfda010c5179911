import { join } from "node:path";
import { defineConfig } from "vitepress";
import { withMermaid } from "vitepress-plugin-mermaid";

const pages = (names: readonly (readonly [text: string, page: string])[]) =>
  names.map(([text, page]) => ({ text, link: `/docs/${page}` }));

/** The documentation site, built from the pages of the repository. A dead link fails the build. */
export default withMermaid(
  defineConfig({
    title: "MLflow operator",
    description: "Secured MLflow tracking servers on Kubernetes",
    srcDir: "..",
    srcExclude: ["{node_modules,site,src,test,bench,demo,scripts,dist,artifacts,.github}/**"],
    outDir: "../dist/site",
    rewrites: { "README.md": "index.md" },
    markdown: { html: false },
    // Folders of the repository are not pages; test/api/pages.test.ts checks that they exist.
    ignoreDeadLinks: [/^https?:\/\/localhost/, /\/(examples|argo-cd|decisions)$/],
    // The pages are outside this package, so the imports of their modules are resolved from here.
    vite: {
      resolve: {
        alias: [{ find: /^vue(\/.*)?$/, replacement: `${join(import.meta.dirname, "../node_modules/vue")}$1` }],
      },
    },
    themeConfig: {
      search: { provider: "local" },
      outline: [2, 3],
      nav: [
        { text: "Install", link: "/docs/installation" },
        { text: "API reference", link: "/docs/reference" },
        { text: "Changelog", link: "/CHANGELOG" },
      ],
      sidebar: [
        {
          text: "Platform engineer",
          items: pages([
            ["Installation", "installation"],
            ["Production checklist", "production-checklist"],
            ["Databases", "databases"],
            ["Choosing an authentication method", "choosing-authentication"],
            ["Authentication", "authentication"],
            ["Identity providers", "identity-providers"],
            ["Exposure", "exposure"],
            ["Network", "network"],
            ["Artifact stores", "artifact-stores"],
            ["Mesh", "mesh"],
            ["Traces", "traces"],
            ["GitOps", "gitops"],
            ["Operations", "operations"],
            ["Monitoring", "monitoring"],
            ["Backup", "backup"],
            ["Rotation", "rotation"],
            ["Troubleshooting", "troubleshooting"],
            ["Security", "security"],
            ["Migrating from Helm charts", "migrating-from-helm"],
          ]),
        },
        {
          text: "Team lead and data scientist",
          items: pages([
            ["Workspaces and grants", "workspaces"],
            ["Clients", "clients"],
          ]),
        },
        {
          text: "Reference",
          items: pages([
            ["API", "reference"],
            ["Command line", "cli"],
            ["Compatibility", "compatibility"],
            ["Comparison", "comparison"],
            ["Performance", "performance"],
            ["FAQ", "faq"],
          ]),
        },
        {
          text: "Contributor",
          items: [
            { text: "Architecture", link: "/ARCHITECTURE" },
            { text: "Contributing", link: "/CONTRIBUTING" },
            ...pages([["Test cluster", "test-cluster"]]),
          ],
        },
      ],
    },
  }),
);
